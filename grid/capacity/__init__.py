"""Limits over time: signals and envelopes."""
