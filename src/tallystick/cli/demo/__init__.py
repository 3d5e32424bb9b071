"""`tallystick demo`: real usage to explained bills, through a real server, in a throw-away home."""

from tallystick.cli.demo.command import demo

__all__ = ["demo"]
