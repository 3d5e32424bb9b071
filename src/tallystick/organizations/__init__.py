"""Organizations, their configuration, and who may do what in them."""
