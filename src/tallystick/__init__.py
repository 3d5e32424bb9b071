"""Usage-based pricing you can host yourself."""

__version__ = "0.1.0"
