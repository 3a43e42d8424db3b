"""Catalog files: model, parsing, merging, templates, snapshots. Only `sources` touches files."""
