"""Months of random customers against a real server, with invariants that hold after every step."""
