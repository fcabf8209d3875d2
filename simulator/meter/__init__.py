"""Meters: registers, DSMR P1."""
