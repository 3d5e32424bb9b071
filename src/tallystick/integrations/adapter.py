"""What an adapter is: the one small interface between this system and another one.

docs/integrations.md tells how a package of its own adds an adapter.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tallystick.accounts.account import Account
from tallystick.billing.bill import BillAnswer
from tallystick.kernel.problems import Problem


@dataclass(frozen=True)
class Option:
    """One setting in `configData`. values: the texts it may have; none is any."""

    name: str
    label: str
    required: bool = False
    values: Sequence[str] = ()


@dataclass(frozen=True)
class System:
    """What an adapter speaks to. name: what `destination` of a configuration is, in capitals.

    entities: the types it takes, `Bill` or `Notification`. auth: the types of credentials it takes, one of
    them, none when it needs none. tables: what external mappings name there.
    """

    name: str
    label: str
    entities: Sequence[str]
    auth: Sequence[str] = ()
    options: Sequence[Option] = ()
    tables: Sequence[str] = ()
    categories: Sequence[str] = ()


@dataclass(frozen=True)
class Outgoing:
    """One thing to tell the other system of. Nothing in it is changed while it is sent.

    key: the same in every attempt; what is told twice under it must have one effect. attempt: from 1.
    mapping: gives the other system's id of something of ours: (`Account`, its id, table), or None.
    sent_before: the id that the other system gave this entity, in an earlier attempt or run.
    note: keeps such an id at once, so that an attempt that breaks off later does not tell twice.
    """

    key: str
    org_id: str
    attempt: int
    config: Mapping[str, Any]
    destination_id: str | None
    credentials: Mapping[str, str]
    entity_type: str
    entity_id: str
    bill: BillAnswer | None
    account: Account | None
    facts: Mapping[str, Any] | None
    first_attempt_at: datetime
    mapping: Callable[[str, str, str], str | None]
    sent_before: str | None
    note: Callable[[str], None]


@dataclass(frozen=True)
class Sent:
    """How it went. external_id: the other system's id of it. table: what that is there, such as `Invoice`.

    url: where a person finds it. log: what went to and fro, for the run's log, without secrets.
    """

    external_id: str | None = None
    table: str | None = None
    url: str | None = None
    log: Mapping[str, Any] = field(default_factory=dict)


class Adapter(Protocol):
    """Speaks to one system. One for all organizations; thread-safe."""

    @property
    def system(self) -> System:
        """Say what it speaks to."""
        ...

    def check(self, config: Mapping[str, Any]) -> Iterator[Problem]:
        """Find what is wrong with `configData`, beyond what options say; field names are inside it."""
        ...

    def send(self, outgoing: Outgoing) -> Sent:
        """Tell the other system. Never called inside a transaction; may be called again with the same key.

        Raises what integrations.errors has; anything else is taken for a bug.
        """
        ...

    def known(
        self, entity_type: str, table: str | None, credentials: Mapping[str, str]
    ) -> Sequence[tuple[str, str]]:
        """List what the other system has that ours can be mapped to: id and name. May be empty."""
        ...
