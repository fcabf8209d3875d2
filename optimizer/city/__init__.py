"""Many sites at once: behind shared transformers, a substation, a peak tariff of the whole city."""
