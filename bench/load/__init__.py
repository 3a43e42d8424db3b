"""Clients that call a server and measure it: blocking, no library in the way, so that they are never the bottleneck."""
