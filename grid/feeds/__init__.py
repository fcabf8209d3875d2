"""Network clients for the grid side: the only ones."""
