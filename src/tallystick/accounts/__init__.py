"""Who is billed: accounts, their hierarchy, and the plans they are on."""
