"""Input and output: databases, files, the clock, and the machinery of declared resources."""
