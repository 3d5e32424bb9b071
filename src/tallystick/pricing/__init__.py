"""What usage costs: plan templates, plans and their pricings."""
