"""What was read of access lately, kept for seconds, and forgotten at once when it changes here."""

import threading
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from tallystick.kernel.clock import Clock
from tallystick.organizations.access_key import AccessKey
from tallystick.organizations.permission_policy import PermissionPolicy, PrincipalPermission
from tallystick.organizations.resource_group import ResourceGroup, ResourceGroupItem
from tallystick.organizations.service_user import ServiceUser
from tallystick.organizations.support import Support
from tallystick.organizations.user import User
from tallystick.platform.resources import Change, Transaction

FRESH_FOR: Final = timedelta(seconds=5)
"How long what another process changed may still be taken for true."
MOST_ENTRIES: Final = 20_000
CLASSES: Final = frozenset(
    {
        AccessKey,
        PermissionPolicy,
        PrincipalPermission,
        ResourceGroup,
        ResourceGroupItem,
        ServiceUser,
        Support,
        User,
    }
)
"What access is made of."

V = TypeVar("V")


class AccessChanges:
    """Hears which organizations change their access in this process. Thread-safe.

    A change is heard before it commits. Until its transaction is over nothing that is read of the
    organization is kept, and then all that was kept is forgotten: nobody keeps what was read just before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changing: dict[Any, set[str]] = {}
        self._changes: dict[str, int] = {}
        self.total = 0
        "Counts up whenever a change begins or ends, of whatever organization."

    def note_change(self, tx: Transaction, /, *changes: Change) -> None:
        """Hear of every change, in its transaction: a `Recorder` beside the others."""
        if any(change.resource.cls in CLASSES for change in changes):
            self.note(tx)

    def note(self, tx: Transaction) -> None:
        """Hear that a transaction changes its organization's access."""
        with self._lock:
            transaction = tx.connection.get_transaction()
            self._changing.setdefault(transaction, set()).add(tx.org_id)
            self.total += 1
            self._settle()

    def count(self, org_id: str) -> int | None:
        """Give how often an organization's access has changed; None while it is changing."""
        if not self._changing:  # almost always
            return self._changes.get(org_id, 0)
        with self._lock:
            self._settle()
            if any(org_id in orgs for orgs in self._changing.values()):
                return None
            return self._changes.get(org_id, 0)

    def _settle(self) -> None:
        for transaction in [t for t in self._changing if t is None or not t.is_active]:
            for org_id in self._changing.pop(transaction):
                self._changes[org_id] = self._changes.get(org_id, 0) + 1
                self.total += 1


class AccessCache(Generic[V]):
    """Values read of an organization's access, by key. Thread-safe and bounded."""

    def __init__(self, changes: AccessChanges, clock: Clock, most: int = MOST_ENTRIES) -> None:
        self._changes = changes
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._entries: dict[Hashable, tuple[datetime, str, int, V]] = {}

    def get(self, key: Hashable) -> V | None:
        """Give what was kept under a key, if it is still fresh."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        kept_at, org_id, count, value = entry
        count_now = self._changes.count(org_id)  # while it is changing, what was true before still is
        unchanged = count_now is None or count_now == count
        return value if unchanged and abs(self._clock.now() - kept_at) < FRESH_FOR else None

    def load(self, key: Hashable, org_of: Callable[[V], str], read: Callable[[], V | None]) -> V | None:
        """Read a value and keep it, unless some access changed meanwhile. None is not kept."""
        before = self._changes.total
        now = self._clock.now()
        value = read()
        if value is None:
            return None
        org_id = org_of(value)
        count = self._changes.count(org_id)
        if count is not None and self._changes.total == before:
            with self._lock:
                self._entries.pop(key, None)
                if len(self._entries) >= self._most:
                    del self._entries[next(iter(self._entries))]
                self._entries[key] = (now, org_id, count, value)
        return value
