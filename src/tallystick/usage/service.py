"""Take usage in: every measurement is stored durably, or kept among the rejected with its reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import compress

import msgspec
import numpy as np

from tallystick.platform.database import Database
from tallystick.platform.ids import new_id
from tallystick.usage.dedupe import Flags
from tallystick.usage.derived import Derivation, Derive
from tallystick.usage.envelope import Measurement, utc
from tallystick.usage.failures import Failure, failure, record_failures
from tallystick.usage.meters import MeterReader
from tallystick.usage.resolution import Resolution
from tallystick.usage.rules import (
    MOST_AHEAD,
    Broken,
    Columns,
    FailureType,
    broken_rule,
    columns_of,
    plain_columns,
)
from tallystick.usage.skeletons import make_accounts
from tallystick.usage.store.blocks import make_block
from tallystick.usage.store.writer import GroupedWriter


class Outcome(msgspec.Struct, frozen=True):
    """What became of a batch.

    stored: measurements that count now. failures: how many failed, by type. file: where they are kept.
    """

    stored: int
    failures: Mapping[FailureType, int]
    file: str | None = None

    @property
    def rejected(self) -> int:
        """Measurements that were not stored."""
        return sum(n for kind, n in self.failures.items() if kind is not FailureType.CALCULATION_ERROR)


class Taken(msgspec.Struct, frozen=True):
    """What was stored of a batch, and what failed, not recorded yet."""

    stored: int
    failures: list[Failure]

    @property
    def rejected(self) -> int:
        """Measurements that were not stored."""
        return sum(each.type is not FailureType.CALCULATION_ERROR for each in self.failures)


class _Group(msgspec.Struct):
    """The measurements of one meter that are good so far."""

    meter: MeterReader
    rows: Sequence[Measurement]
    columns: Columns | None = None

    def keep(self, good: Sequence[bool]) -> None:
        """Drop the rows that are not good."""
        self.rows = list(compress(self.rows, good))
        self.columns = None


class Ingest:
    """Takes batches of measurements in. Thread-safe; a call returns when all is durable.

    derive: calculates the derived fields of meters that have some; by default without lookup tables.
    """

    def __init__(
        self,
        database: Database,
        writer: GroupedWriter,
        resolution: Resolution,
        derive: Derive | None = None,
    ) -> None:
        self._database = database
        self._writer = writer
        self._resolution = resolution
        self._derive = derive or Derivation(database, resolution)

    def __call__(
        self, org_id: str, actor: str, measurements: Sequence[Measurement], unread: Sequence[Failure] = ()
    ) -> Outcome:
        """Store measurements of the right form; keep those that break a rule, and tell of them by an event.

        actor: in whose name unknown accounts are made. unread: what the same request failed with before it
        became measurements. Raises Unavailable: the same batch may be sent again, and what has a uid is
        counted once.
        """
        taken = self.take(org_id, actor, measurements)
        failures = [*unread, *taken.failures]
        if not failures:
            return Outcome(taken.stored, {})
        with self._database.transaction(org_id, actor) as tx:
            file = record_failures(tx, failures, taken.stored)
        kinds = [each.type for each in failures]
        return Outcome(taken.stored, {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}, file)

    def take(
        self, org_id: str, actor: str, measurements: Sequence[Measurement], *, again: bool = False
    ) -> Taken:
        """Store measurements, and leave it to the caller to record what failed, with what it has to record.

        again: an earlier try of the same batch may have stored some of it, so a uid that is there already is
        no failure, unless it stands twice in the batch. Raises Unavailable, as a call does.
        """
        failures: list[Failure] = []
        groups = self._judge(org_id, measurements, failures)
        accounts = self._accounts(org_id, actor, groups, failures)
        flags = self._store(org_id, groups, accounts, failures)
        for group, duplicate in flags:
            resent = _resent_again(group.rows) if again else duplicate
            if resent.any():
                rows = compress(group.rows, resent & duplicate)
                failures += [failure(_resent(row), row) for row in rows]
        return Taken(sum(int((~duplicate).sum()) for _, duplicate in flags), failures)

    def _judge(
        self, org_id: str, measurements: Sequence[Measurement], failures: list[Failure]
    ) -> list[_Group]:
        """Sort measurements by meter, and take out those that break a rule."""
        latest = self._database.now(org_id) + MOST_AHEAD
        groups: list[_Group] = []
        by_code = _by_meter(measurements)
        meters = self._resolution.meters.find(self._database, org_id, by_code.keys())
        for code, rows in by_code.items():
            meter = meters.get(code)
            if meter is None:
                unknown = Broken(FailureType.UNDEFINED_METER, f"there is no meter {code}")
                failures += [failure(unknown, row) for row in rows]
            else:
                group = _Group(meter, rows)
                _keep_unbroken(group, latest, failures)
                groups.append(group)
        return groups

    def _accounts(
        self, org_id: str, actor: str, groups: Sequence[_Group], failures: list[Failure]
    ) -> dict[str, str]:
        """Give the id of each account code; measurements of a code that cannot have one are taken out."""
        codes = dict.fromkeys(row.account for group in groups for row in group.rows)
        ids = self._resolution.accounts.find(self._database, org_id, codes.keys())
        unknown = [code for code in codes if code not in ids]
        if not unknown:
            return ids
        made = make_accounts(self._database, org_id, actor, unknown)
        for group in groups if made.alike else ():
            broken = [_alike(made.alike, row) for row in group.rows]
            _reject(group, broken, failures)
        return ids | made.ids

    def _store(
        self, org_id: str, groups: Sequence[_Group], accounts: Mapping[str, str], failures: list[Failure]
    ) -> list[tuple[_Group, Flags]]:
        """Store what is left and wait until it is durable. Flags the rows whose uid was there before."""
        filled = [group for group in groups if group.rows]
        if not filled:
            return []
        blocks = []
        for group in filled:
            columns = group.columns or columns_of(group.meter, group.rows)
            if group.meter.derived:
                columns |= self._derived(org_id, group, columns, failures)
            rows = group.rows
            ends = [row.ets for row in rows]
            block = make_block(
                org_id=org_id,
                meter_ids=[group.meter.id] * len(rows),
                account_ids=[accounts[row.account] for row in rows],
                ts=[row.ts for row in rows],
                uids=[row.uid or new_id() for row in rows],
                ets=ends if any(ends) else None,
                fields=columns,
            )
            blocks.append(block)
        return list(zip(filled, self._writer.submit(blocks).result(), strict=True))

    def _derived(self, org_id: str, group: _Group, columns: Columns, failures: list[Failure]) -> Columns:
        """Calculate the derived fields; a measurement with a fault is stored all the same."""
        answer = self._derive(org_id, group.meter, group.rows, columns)
        failures += [
            failure(Broken(FailureType.CALCULATION_ERROR, fault), group.rows[i]) for i, fault in answer.faults
        ]
        return answer.columns


def _by_meter(measurements: Sequence[Measurement]) -> dict[str, Sequence[Measurement]]:
    codes = dict.fromkeys(row.meter for row in measurements)
    if len(codes) == 1:
        return dict.fromkeys(codes, measurements)
    return {code: [row for row in measurements if row.meter == code] for code in codes}


def _keep_unbroken(group: _Group, latest: datetime, failures: list[Failure]) -> None:
    """Take out the measurements of a group that break a rule."""
    columns = plain_columns(group.meter, group.rows)
    if columns is not None and max(utc(ts) for ts in {row.ts for row in group.rows}) <= latest:
        group.columns = columns
        return
    _reject(group, [broken_rule(group.meter, row, latest) for row in group.rows], failures)


def _reject(group: _Group, broken: Sequence[Broken | None], failures: list[Failure]) -> None:
    failures += [failure(rule, row) for rule, row in zip(broken, group.rows, strict=True) if rule is not None]
    group.keep([rule is None for rule in broken])


def _alike(alike: Mapping[str, str], row: Measurement) -> Broken | None:
    other = alike.get(row.account)
    if other is None:
        return None
    message = f"there is no account {row.account}, and none is made for it because there is {other}"
    return Broken(FailureType.INVALID_ACCOUNT_CODE, message)


def _resent(row: Measurement) -> Broken:
    return Broken(FailureType.DUPLICATE_UID, f"the uid {row.uid} was received before, within 35 days")


def _resent_again(rows: Sequence[Measurement]) -> Flags:
    """Flag, in a batch that is stored a second time, the rows whose uid stands above in it."""
    seen: set[str] = set()
    again = [row.uid in seen or bool(seen.add(row.uid or new_id())) for row in rows]  # type: ignore[func-returns-value]
    return np.array(again, bool)
