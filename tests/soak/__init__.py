"""The soak: mixed clients and eras against the built gateway for as long as one likes, with faults and reloads all the time."""
