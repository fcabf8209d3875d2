"""Sun: irradiance to kW, forecasts."""
