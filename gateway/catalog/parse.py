"""Reads catalog text into records. Must not touch files or the network."""
