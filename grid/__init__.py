"""The physical and market world: units, time, topology, limits, tariffs, sun."""
