"""HTTP for operators, drivers and fleet owners."""
