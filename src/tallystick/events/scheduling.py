"""Make scheduled events happen: follow the dates of things, and tell when the time has come.

The event record tells what changes, so nothing is scanned but once, when a configuration is new. What is
to come is one indexed table; a row stays after its event happened, so that it happens once for each value.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

import msgspec
from sqlalchemy import Column, DateTime, Index, PrimaryKeyConstraint, Row, Table, Text, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from tallystick.events.feed import Feed, Happened
from tallystick.events.record import append_event, events
from tallystick.events.scheduled import ScheduledEventConfiguration, date_field, entity_of
from tallystick.kernel.errors import invariant
from tallystick.kernel.periods import start_of_day
from tallystick.platform.database import Database
from tallystick.platform.jobs import Jobs, defer
from tallystick.platform.resources import Entity, Resource, Transaction
from tallystick.platform.resources.tables import UUID, metadata
from tallystick.platform.resources.wire import answer

TASK: Final = "events.schedule"
FEED: Final = Feed("scheduled")
CHUNK: Final = 500
NEVER: Final = datetime.max.replace(tzinfo=UTC)
_STEM = "configuration.scheduledeventconfiguration"

coming = Table(
    "scheduled_events",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("configuration_id", UUID, nullable=False),
    Column("entity_id", UUID, nullable=False),
    Column("value", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("happened_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("org_id", "configuration_id", "entity_id", "value", name="pk_scheduled_events"),
)
_is_open = coming.c.happened_at.is_(None)
Index("ix_scheduled_events_due_at", coming.c.org_id, coming.c.due_at, postgresql_where=_is_open)

ZoneOf = Callable[[Transaction], tzinfo]
Configurations = Mapping[str, ScheduledEventConfiguration]


@dataclass(frozen=True)
class Scheduler:
    """Scheduled events, as due work. zone_of: gives the time zone of the organization."""

    database: Database
    zone_of: ZoneOf

    def register(self, jobs: Jobs) -> None:
        """Let a worker make scheduled events happen."""
        jobs.task(TASK, self.schedule)

    def next_due(self, tx: Transaction) -> datetime | None:
        """Give when the next one happens; the present as long as there are changes to follow."""
        if tx.find_one(ScheduledEventConfiguration) is None and not self._next(tx):
            return None
        return tx.clock.now() if FEED.has_more(tx) else self._next(tx)

    def run_due(self, org_id: str, now: datetime) -> None:
        """Queue the work: after a large bill run there is much of it."""
        with self.database.transaction(org_id) as tx:
            defer(tx, TASK, {"org_id": org_id}, lock=f"{TASK}.{org_id}")

    def schedule(self, org_id: str) -> None:
        """Follow all changes that there are, then let happen what is due."""
        for step in (self._follow, self._happen):
            more = True
            while more:
                with self.database.transaction(org_id) as tx:
                    more = step(tx)

    def _next(self, tx: Transaction) -> datetime | None:
        soonest = select(coming.c.due_at).where(coming.c.org_id == tx.org_id, _is_open)
        return tx.execute(soonest.order_by(coming.c.due_at).limit(1)).scalar()

    # --- what is to come ------------------------------------------------------------------------

    def _follow(self, tx: Transaction) -> bool:
        """Read some changes; tell whether there are more."""
        if not FEED.has_more(tx):
            return False
        known = {each.id: each for each in tx.find(ScheduledEventConfiguration)}
        stems = {_STEM, *(declared.event for declared in map(_declared, known.values()))}
        names = [f"{stem}.{kind}" for stem in stems for kind in ("created", "updated", "deleted")]
        zone = self.zone_of(tx)
        for event in FEED.read(tx, events.c.event_name.in_(names)):
            if event.name.startswith(f"{_STEM}."):
                _begin(tx, known, event, zone)
            else:
                _note(tx, known.values(), event, zone)
        return FEED.has_more(tx)

    # --- what happens ---------------------------------------------------------------------------

    def _happen(self, tx: Transaction) -> bool:
        """Let some of what is due happen, in its order; tell whether there may be more."""
        now = tx.clock.now()
        own = (coming.c.org_id == tx.org_id, _is_open, coming.c.due_at <= now)
        due = select(coming).where(*own).order_by(coming.c.due_at, coming.c.entity_id).limit(CHUNK)
        rows = tx.execute(due.with_for_update(skip_locked=True)).all()
        known = {each.id: each for each in tx.find(ScheduledEventConfiguration)}
        states = _states(tx, known, rows)
        for row in rows:
            configuration = known.get(row.configuration_id)
            state = states.get((row.configuration_id, row.entity_id))
            this = _this(row)
            if configuration is None or state is None or state.get(configuration.field) != row.value:
                tx.execute(delete(coming).where(*this))  # gone, or moved: what comes of that is followed
                continue
            append_event(tx, configuration.name, {"newDto": state}, row.entity_id)
            tx.execute(update(coming).where(*this).values(happened_at=now))
        return len(rows) == CHUNK


def _this(row: Row[Any]) -> Iterator[Any]:
    """Give the conditions that hold for one row of what is to come."""
    for name in ("org_id", "configuration_id", "entity_id", "value"):
        yield coming.c[name] == getattr(row, name)


def due_at(value: str, offset: int, zone: tzinfo) -> datetime:
    """Give the instant that is so many days after a date, or an instant, as JSON has it.

    Rule: a date is the first moment of its day in the zone; days after an instant are of 24 hours.
    """
    try:
        if len(value) == len("2024-01-31"):
            return start_of_day(date.fromisoformat(value) + timedelta(days=offset), zone)
        return msgspec.convert(value, datetime) + timedelta(days=offset)
    except OverflowError:
        return NEVER


def _declared(configuration: ScheduledEventConfiguration) -> Resource:
    declared = entity_of(configuration.entity)
    invariant(declared is not None, f"the entity {configuration.entity} was checked when it was saved")
    return declared  # type: ignore[return-value] # by the line above


def _note(
    tx: Transaction,
    configurations: Iterable[ScheduledEventConfiguration],
    event: Happened,
    zone: tzinfo,
) -> None:
    """Follow a change of a thing: what was to come for another value of its date will not."""
    stem = event.name.rpartition(".")[0]
    for each in configurations:
        # What is older than a configuration was looked at when that began.
        if _declared(each).event != stem or event.id < each.id or event.entity_id is None:
            continue
        value = event.states["new"].get(each.field)
        of_entity = (coming.c.configuration_id == each.id, coming.c.entity_id == event.entity_id)
        stale = (coming.c.org_id == tx.org_id, _is_open, *of_entity, coming.c.value != (value or ""))
        tx.execute(delete(coming).where(*stale))
        if value is not None:
            _add(tx, each, [(event.entity_id, value)], zone)


def _begin(tx: Transaction, known: Configurations, event: Happened, zone: tzinfo) -> None:
    """Look once at all things that a new or changed configuration is for; what is past does not happen."""
    of_configuration = (coming.c.org_id == tx.org_id, coming.c.configuration_id == event.entity_id)
    tx.execute(delete(coming).where(*of_configuration, _is_open))
    configuration = known.get(event.entity_id or "")
    if configuration is None:
        tx.execute(delete(coming).where(*of_configuration))
        return
    declared = _declared(configuration)
    field = date_field(declared, configuration.field)
    invariant(field is not None, f"the field {configuration.field} was checked when it was saved")
    column = declared.table.c[field.name if field else "id"]
    now = tx.clock.now()
    since: date = now - timedelta(days=configuration.offset + 2)  # a day in any zone, and one more
    if field is not None and field.bare is date:
        since = since.date() if isinstance(since, datetime) else since
    mine = (declared.table.c.org_id == tx.org_id, column >= since)
    found: Sequence[Any] = tx.execute(select(declared.table.c.id, column).where(*mine)).all()
    values = [(entity_id, str(msgspec.to_builtins(at))) for entity_id, at in found]
    ahead = [(i, value) for i, value in values if due_at(value, configuration.offset, zone) > now]
    for start in range(0, len(ahead), CHUNK):
        _add(tx, configuration, ahead[start : start + CHUNK], zone)


def _add(
    tx: Transaction,
    configuration: ScheduledEventConfiguration,
    values: Sequence[tuple[str, str]],
    zone: tzinfo,
) -> None:
    rows = [
        {
            "org_id": tx.org_id,
            "configuration_id": configuration.id,
            "entity_id": entity_id,
            "value": value,
            "due_at": due_at(value, configuration.offset, zone),
        }
        for entity_id, value in values
    ]
    tx.execute(insert(coming).on_conflict_do_nothing(), rows)


def _states(
    tx: Transaction, known: Configurations, rows: Sequence[Row[Any]]
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Load what the rows are about as it is now, by configuration and id."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in known.values():
        cls: type[Entity] = _declared(each).cls
        ids = [row.entity_id for row in rows if row.configuration_id == each.id]
        for entity in tx.find(cls, id=ids):
            found[each.id, entity.id] = answer(entity)
    return found
