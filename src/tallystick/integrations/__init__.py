"""Integrations: what other systems are told of bills and notifications, and by which ids they know them."""
