"""What customers have paid ahead, and what they have promised to spend: the ledger."""
