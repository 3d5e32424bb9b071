"""How often the API may be asked, by organization and by address (semantics §1)."""

from typing import Final, Literal

from tallystick.kernel.clock import Clock
from tallystick.organizations.throttle import network_of
from tallystick.platform.rate_limit import Rate, RateLimit

Kind = Literal["config", "ingest"]
ORGANIZATION: Final = Rate(tokens=50, burst=50)
CONFIG_ADDRESS: Final = Rate(tokens=20_000, burst=20_000, window_s=300)
INGEST_ADDRESS: Final = Rate(tokens=5_000, burst=5_000, window_s=300)


class RateLimits:
    """Counts requests in this process, ingest apart. Thread-safe. Off by default: decision 0013."""

    def __init__(
        self,
        clock: Clock,
        *,
        organization: Rate = ORGANIZATION,
        config_address: Rate = CONFIG_ADDRESS,
        ingest_address: Rate = INGEST_ADDRESS,
    ) -> None:
        self._organizations = {
            "config": RateLimit(clock, organization),
            "ingest": RateLimit(clock, organization),
        }
        self._addresses = {
            "config": RateLimit(clock, config_address),
            "ingest": RateLimit(clock, ingest_address),
        }

    def of_address(self, kind: Kind, address: str) -> None:
        """Let a request from an address through; an IPv6 subscriber's /64 is one. Raises TooManyRequests."""
        self._addresses[kind].take(network_of(address))

    def of_organization(self, kind: Kind, org_id: str) -> None:
        """Let a request of an organization through. Raises TooManyRequests."""
        self._organizations[kind].take(org_id)
