"""Faults with real parts: an engine of our own, the built gateway, servers, clients; signals, silence, floods, rubbish."""
