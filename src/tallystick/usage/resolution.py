"""Codes to what they mean now: accounts and meters of each organization, remembered for a moment."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import select

from tallystick.accounts.account import Account
from tallystick.catalogue.derived_fields import defaults_of
from tallystick.catalogue.meter import Meter
from tallystick.catalogue.product import Product
from tallystick.organizations.custom_field import CustomField
from tallystick.platform.database import Database
from tallystick.platform.resources import Change, Transaction, resource_of
from tallystick.usage.meters import MeterReader, meter_reader

DEFAULTS = ""
FRESH_FOR_S = 2.0
"How long a code may keep its old meaning after another process changed it."
_MOST_ACCOUNTS, _MOST_METERS = 100_000, 2_000
_MOST_TRANSACTIONS = 64

V = TypeVar("V")
CustomFields = Mapping[str, object]
_Key = tuple[str, str]


class _Entry(msgspec.Struct, Generic[V], frozen=True):
    """What a code meant when it was asked for; loaded_at: seconds of the monotonic clock."""

    value: V
    loaded_at: float


class CodeCache(Generic[V]):
    """What the codes of one kind of thing mean, per organization. Thread-safe and bounded.

    A change made in this process is heard before it commits. From then on its codes are read from the
    database every time, until its transaction is over: nobody can keep what was read just before.
    """

    def __init__(self, load: Callable[[Transaction, Collection[str]], Mapping[str, V]], most: int) -> None:
        self._load = load
        self._most = most
        self._lock = threading.Lock()
        self._entries: dict[_Key, _Entry[V]] = {}
        self._changing: dict[Any, set[_Key]] = {}
        self._changes = 0

    def find(self, database: Database, org_id: str, codes: Collection[str]) -> dict[str, V]:
        """Give the meaning of the codes that have one; those not remembered are read in one query."""
        with self._lock:
            self._settle()
            changes = self._changes
            now = time.monotonic()
            found = {code: entry.value for code in codes if (entry := self._fresh((org_id, code), now))}
        missing = [code for code in codes if code not in found]
        if missing:
            with database.reading(org_id) as tx:
                loaded = self._load(tx, missing)
            with self._lock:
                self._settle()
                if self._changes == changes:
                    self._remember(org_id, loaded, now)
            found.update(loaded)
        return found

    def note(self, tx: Transaction, codes: Collection[str]) -> None:
        """Hear of codes that a transaction is changing."""
        with self._lock:
            transaction = tx.connection.get_transaction()
            if len(self._changing) >= _MOST_TRANSACTIONS:
                self._settle()
            self._changing.setdefault(transaction, set()).update((tx.org_id, code) for code in codes)
            self._changes += 1
            for code in codes:
                self._entries.pop((tx.org_id, code), None)

    def _fresh(self, key: _Key, now: float) -> _Entry[V] | None:
        entry = self._entries.get(key)
        return entry if entry is not None and now - entry.loaded_at < FRESH_FOR_S else None

    def _settle(self) -> None:
        """Forget transactions that are over; what was read while they ran is no longer kept."""
        for transaction in [t for t in self._changing if t is None or not t.is_active]:
            del self._changing[transaction]
            self._changes += 1

    def _remember(self, org_id: str, loaded: Mapping[str, V], now: float) -> None:
        changing = set[_Key]().union(*self._changing.values())
        for code, value in loaded.items():
            key = (org_id, code)
            if key not in changing:
                self._entries.pop(key, None)
                self._entries[key] = _Entry(value, now)
        for key in list(self._entries)[: max(0, len(self._entries) - self._most)]:
            del self._entries[key]


class Resolution:
    """What measurements name by code, and what their calculations read of it.

    Accounts and meters are found by code, custom fields by the code of the account or the id of the product,
    the organization's defaults under `DEFAULTS`.
    """

    def __init__(self) -> None:
        self.accounts = CodeCache(account_ids, _MOST_ACCOUNTS)
        self.meters = CodeCache(meter_readers, _MOST_METERS)
        self.account_fields = CodeCache(account_fields, _MOST_ACCOUNTS)
        self.product_fields = CodeCache(product_fields, _MOST_METERS)
        self.field_defaults = CodeCache(field_defaults, _MOST_METERS)

    def note_change(self, tx: Transaction, /, *changes: Change) -> None:
        """Hear of every change, in its transaction: a `Recorder` beside the one that appends events."""
        code, by_id = attrgetter("code"), attrgetter("id")
        caches: list[tuple[type, CodeCache[Any], Callable[[Any], str]]] = [
            (Account, self.accounts, code),
            (Account, self.account_fields, code),
            (Meter, self.meters, code),
            (Product, self.product_fields, by_id),
            (CustomField, self.field_defaults, lambda _: DEFAULTS),
        ]
        for cls, cache, key in caches:
            own = [change for change in changes if change.resource.cls is cls]
            states = [state for change in own for state in (change.old, change.new) if state is not None]
            if states:
                cache.note(tx, {key(state) for state in states})


def account_ids(tx: Transaction, codes: Collection[str]) -> dict[str, str]:
    """Look up account ids by code."""
    return _of_accounts(tx, codes, "id")


def meter_readers(tx: Transaction, codes: Collection[str]) -> dict[str, MeterReader]:
    """Look up meters by code."""
    return {meter.code: meter_reader(meter) for meter in tx.find(Meter, code=list(codes))}


def account_fields(tx: Transaction, codes: Collection[str]) -> dict[str, CustomFields]:
    """Look up the custom fields of accounts by code."""
    return _of_accounts(tx, codes, "custom_fields")


def _of_accounts(tx: Transaction, codes: Collection[str], column: str) -> dict[str, Any]:
    table = resource_of(Account).table
    statement = select(table.c.code, table.c[column].label("value")).where(table.c.org_id == tx.org_id)
    rows = tx.execute(statement.where(table.c.code.in_(list(codes)))).all()
    return {row.code: row.value for row in rows}


def product_fields(tx: Transaction, ids: Collection[str]) -> dict[str, CustomFields]:
    """Look up the custom fields of products by id."""
    return {product.id: product.custom_fields for product in tx.find(Product, id=list(ids))}


def field_defaults(tx: Transaction, _keys: Collection[str]) -> dict[str, Mapping[str, CustomFields]]:
    """Look up the organization's defaults of custom fields, by entity."""
    return {DEFAULTS: defaults_of(tx.find_one(CustomField))}
