"""What lives: all state over time and all supervision. Knows `gateway` through its ports; never `gateway.cli`."""
