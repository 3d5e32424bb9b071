"""Questions about usage, from people and from exports: their form, their checks, what the store is asked."""
