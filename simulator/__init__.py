"""Simulated stations, vehicles, meters and fleets that speak real protocols."""
