"""The money rules, each a small pure function: units in, exact amounts out."""
