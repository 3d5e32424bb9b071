"""Usage-based pricing you can host yourself."""
