"""The database's history: one revision a file, applied by `platform.migrate`."""
