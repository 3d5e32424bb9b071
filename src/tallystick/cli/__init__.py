"""The command line: `tallystick …`."""
