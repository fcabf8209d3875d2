"""Energy prices, network tariffs and the bill."""
