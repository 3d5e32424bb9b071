"""Which network addresses are of the public internet, and which inner ones the operator allows. Pure."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV4_BITS = 32
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Allowed:
    """What may be called although it is inside: names as they stand in URLs, and networks."""

    names: frozenset[str] = frozenset()
    networks: Sequence[Network] = ()

    @classmethod
    def read(cls, text: str) -> "Allowed":
        """Read a list of host names and networks, separated by commas. Raises ValueError."""
        names: set[str] = set()
        networks: list[Network] = []
        for part in filter(None, (each.strip().lower() for each in text.split(","))):
            try:
                networks.append(ipaddress.ip_network(part, strict=False))
            except ValueError:
                if "/" in part or ":" in part or " " in part:
                    raise ValueError(
                        f"must be host names and networks such as 10.0.0.0/8, not {part}"
                    ) from None
                names.add(part)
        return cls(frozenset(names), tuple(networks))

    def lets(self, host: str, address: Address) -> bool:
        """Tell whether a host may be called at an address."""
        if host.lower().rstrip(".") in self.names:
            return True
        return is_public(address) or is_in(address, self.networks)


ANYWHERE = Allowed.read("0.0.0.0/0,::/0")
"For requests to where the operator himself says."


def read_networks(text: str) -> tuple[Network, ...]:
    """Read a list of networks, separated by commas. Raises ValueError."""
    parts = (each.strip() for each in text.split(","))
    return tuple(ipaddress.ip_network(part, strict=False) for part in parts if part)


def client_address(peer: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """Give where a request comes from: the peer, or behind proxies of ours what the last of them was told.

    forwarded: X-Forwarded-For. Each proxy adds the address it was asked from on the right; what stands left
    of the first that is no proxy of ours anyone could have written.
    """
    for each in (peer, *(part.strip() for part in reversed(forwarded.split(",")))):
        if not _is_of(each, proxies):
            return each or peer
        peer = each
    return peer


def _is_of(text: str, networks: Sequence[Network]) -> bool:
    try:
        return is_in(ipaddress.ip_address(text), networks)
    except ValueError:
        return False


def is_in(address: Address, networks: Iterable[Network]) -> bool:
    """Tell whether an address, or the IPv4 one that it carries, is of one of the networks."""
    return any(each in network for each in {address, real(address)} for network in networks)


def is_public(address: Address) -> bool:
    """Tell whether an address is of the public internet: not private, loopback, link-local or reserved."""
    meant = real(address)
    return meant.is_global and not meant.is_multicast and not meant.is_reserved


def real(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 one carries, where it does: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    carried = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if carried is None and (address in _NAT64 or (int(address) >> _IPV4_BITS == 0 and int(address) > 1)):
        carried = ipaddress.IPv4Address(int(address) & (1 << _IPV4_BITS) - 1)
    return carried or address
