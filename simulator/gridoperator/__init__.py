"""Simulated grid operators: they speak the protocols of capacity signals over real HTTP."""
