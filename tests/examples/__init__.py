"""Four recommenders of kinds that a matrix model is not, each in fewer than 60 lines."""
