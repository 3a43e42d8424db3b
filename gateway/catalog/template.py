"""The template language of catalogs. Pure."""
