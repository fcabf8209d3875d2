"""The central system: OCPP gateway, state, control, API."""
