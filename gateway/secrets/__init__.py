"""Secrets: where they are kept and how a server gets the ones that it declares."""
