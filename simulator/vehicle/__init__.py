"""Cars: battery, on-board charger, driver."""
