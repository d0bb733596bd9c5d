"""Exercises made from the answers: stubs to fill in, defects to find, and the check of what the reader wrote."""
