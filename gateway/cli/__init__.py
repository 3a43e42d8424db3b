"""The command line, and the composition root: the only package above `actors`."""
