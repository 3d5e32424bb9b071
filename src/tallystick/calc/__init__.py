"""The calculation language: expressions of derived fields, compound aggregations and notification rules."""
