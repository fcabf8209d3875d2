"""Who arrives when, for how long, with what need."""
