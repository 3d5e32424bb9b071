"""Adapters: one folder for each system."""
