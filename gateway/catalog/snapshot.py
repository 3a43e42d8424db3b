"""Builds snapshots and their differences. Pure."""
