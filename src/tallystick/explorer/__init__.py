"""Looking at usage and bills: queries that group and aggregate, and those saved under a name."""
