"""The event record: what happened, appended in the transaction it happened in."""
