"""The readable model of one site in Pyomo: one family of constraints a file, its equation in words."""
