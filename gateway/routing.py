"""Where an exposed name leads. Pure."""
