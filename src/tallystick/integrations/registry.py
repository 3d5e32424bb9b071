"""Which systems there are, and which of them an installed adapter speaks to."""

from collections.abc import Iterable, Iterator
from typing import Final

from tallystick.integrations.adapter import Adapter, System
from tallystick.integrations.errors import AdapterNotInstalled
from tallystick.platform.plugins import load_plugins

GROUP: Final = "tallystick.integrations"
BILLS: Final = ("Bill",)
DECLARED: Final = (
    System(
        "WEBHOOK", "Webhook", ("Notification", "Bill"), ("M3TER_SIGNED_REQUEST",), categories=("messaging",)
    ),
    System("NETSUITE", "NetSuite", BILLS, ("NETSUITE_AUTH",), tables=("Customer", "Invoice", "Item")),
    System("STRIPE", "Stripe", BILLS, ("STATIC_API_KEY",), tables=("Customer", "Invoice", "Product")),
    System(
        "STRIPE_TEST",
        "Stripe (test mode)",
        BILLS,
        ("STATIC_API_KEY",),
        tables=("Customer", "Invoice", "Product"),
    ),
    System("AWS", "AWS Marketplace", BILLS, ("AWS_INTEGRATION",), tables=("Customer", "Dimension")),
    System("PADDLE", "Paddle", BILLS, ("PADDLE_AUTH",), tables=("Customer", "Product")),
    System("PADDLE_SANDBOX", "Paddle (sandbox)", BILLS, ("PADDLE_AUTH",), tables=("Customer", "Product")),
    System("SALESFORCE", "Salesforce", BILLS, ("OAUTH_CLIENT_CREDENTIALS",), tables=("Account",)),
    System("XERO", "Xero", BILLS, ("OAUTH_CLIENT_CREDENTIALS",), tables=("Contact", "Invoice", "Item")),
    System("CHARGEBEE", "Chargebee", BILLS, ("CHARGEBEE_AUTH",), tables=("Customer", "Invoice")),
    System(
        "QUICKBOOKS",
        "QuickBooks",
        BILLS,
        ("OAUTH_CLIENT_CREDENTIALS",),
        tables=("Customer", "Invoice", "Item"),
    ),
    System(
        "QUICKBOOKS_SANDBOX",
        "QuickBooks (sandbox)",
        BILLS,
        ("OAUTH_CLIENT_CREDENTIALS",),
        tables=("Customer", "Invoice", "Item"),
    ),
    System("M3TER", "Another installation", BILLS, ("M3TER_SERVICE_USER",)),
)
"The systems of the original API; each can be configured, whether or not an adapter is installed."


class Registry:
    """The systems and adapters of this server. An adapter speaks to the system that it names."""

    def __init__(self, adapters: Iterable[Adapter]) -> None:
        self._adapters: dict[str, Adapter] = {}
        self._systems = {system.name: system for system in DECLARED}
        for adapter in adapters:
            self.install(adapter)

    @property
    def systems(self) -> list[System]:
        """List all systems that can be configured."""
        return list(self._systems.values())

    def system(self, destination: str) -> System | None:
        """Give a system by its name, in whatever case; None when there is none of this name."""
        return self._systems.get(destination.upper())

    def is_installed(self, destination: str) -> bool:
        """Tell whether an adapter speaks to it."""
        return destination.upper() in self._adapters

    def install(self, adapter: Adapter) -> None:
        """Let an adapter speak to the system that it names, in place of one that did."""
        name = adapter.system.name.upper()
        self._adapters[name] = adapter
        self._systems[name] = adapter.system

    def adapter(self, destination: str) -> Adapter:
        """Give the adapter that speaks to a system. Raises AdapterNotInstalled."""
        found = self._adapters.get(destination.upper())
        if found is None:
            raise AdapterNotInstalled(destination.upper())
        return found


def third_parties() -> Iterator[Adapter]:
    """Make the adapters of installed packages: entry points of the group `tallystick.integrations`."""
    yield from load_plugins(GROUP)
