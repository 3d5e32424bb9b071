"""Usage: what customers did, from the request to the sum."""
