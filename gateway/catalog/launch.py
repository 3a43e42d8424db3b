"""Fills an entry with config and secrets: entry in, launch out. Pure."""
