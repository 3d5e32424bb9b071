"""Bills: from plans, prices and usage to amounts owed, each with its derivation."""
