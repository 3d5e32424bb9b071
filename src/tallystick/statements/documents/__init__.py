"""Documents for customers: bills and statements as PDF, in the organization's language."""
