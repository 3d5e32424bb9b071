"""Telling others: rules over events, webhooks and their deliveries, alerts."""
