"""Merges catalogs, registries and flags into one set of entries. Pure."""
