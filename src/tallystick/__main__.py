"""`python -m tallystick` is the command line."""

from tallystick.cli.main import main

main()
