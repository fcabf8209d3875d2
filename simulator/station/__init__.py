"""Charging stations that speak OCPP."""
