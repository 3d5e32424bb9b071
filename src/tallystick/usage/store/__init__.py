"""The usage store: see README.md in this folder for how to use it."""
