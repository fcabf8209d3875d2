"""Charging stations on the wire: `simulator.station` in the words of OCPP 1.6, 2.0.1 and 2.1."""
