"""Faults and quirks: what a scenario file switches on, at a rate or at an instant."""
