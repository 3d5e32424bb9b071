"""Load and save declared resources of one organization, inside one database transaction.

The organization is bound when the transaction is opened, so no later call can name another one;
row-level security in the database enforces the same a second time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, delete, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import Executable

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import Conflict, Invalid, NotFound
from tallystick.kernel.problems import Problem
from tallystick.platform.ids import new_id
from tallystick.platform.resources.clashes import (
    clash_of,
    clashes,
    clashes_of_all,
    insert_answers,
    questions_of,
    user_of,
)
from tallystick.platform.resources.declaration import Entity, Resource, VersionedRequest, resource_of
from tallystick.platform.resources.pages import Page, PageRequest, to_token
from tallystick.platform.resources.rows import (
    COLLECTIONS,
    by_id_statement,
    column_values,
    insert_statement,
    is_id,
    matches,
    row_builder,
)
from tallystick.platform.resources.wire import InvalidBody

E = TypeVar("E", bound=Entity)


class ResourceNotFound(NotFound):
    """No entity of this id in this organization."""

    code = "resource_not_found"


class StaleVersion(Conflict):
    """The entity has changed since the caller read it."""

    code = "stale_version"


class NotDeletable(Invalid):
    """The entity has to stay; `problems` says why."""

    code = "not_deletable"


class InUse(Invalid):
    """Something else refers to the entity, so it cannot be deleted."""

    code = "in_use"


@dataclass(frozen=True)
class Change:
    """An entity was created, updated or deleted; `new` or `old` is None where there is none."""

    kind: Literal["created", "updated", "deleted"]
    resource: Resource
    old: Entity | None
    new: Entity | None


class Recorder(Protocol):
    """Hears of changes in their transaction, one at a time or, of entities created together, all at once."""

    def __call__(self, tx: "Transaction", /, *changes: Change) -> None:
        """Hear of changes that have been made."""
        ...


Narrowing = Callable[[Resource, ColumnElement[Any]], Iterable[ColumnElement[bool]]]
"Gives the conditions under which somebody may see things of a type, by the column that holds their ids."


def everything(_declared: Resource, _ids: ColumnElement[Any]) -> Iterable[ColumnElement[bool]]:
    """See all that the organization has."""
    return ()


@dataclass(frozen=True)
class Transaction:
    """Everything that a verb may do with the stored things of `org_id`, all or nothing.

    narrowing: what lists and searches leave out; loading by id, and all else, does not ask it.
    """

    connection: Connection
    org_id: str
    actor: str
    clock: Clock
    record: Recorder
    narrowing: Narrowing = everything

    def execute(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        """Run a statement of a domain's own store."""
        return self.connection.execute(statement, values)

    # --- load -----------------------------------------------------------------------------------

    def get(self, cls: type[E], entity_id: str, *, lock: bool = False) -> E:
        """Load one entity, locked against other writers if asked. Raises ResourceNotFound."""
        if is_id(entity_id):
            statement = by_id_statement(cls, lock=lock)
            row = self.connection.execute(statement, {"org_id": self.org_id, "id": entity_id}).one_or_none()
            if row is not None:
                build: Callable[[Row[Any]], E] = row_builder(cls)
                return build(row)
        raise ResourceNotFound(f"There is no {resource_of(cls).noun} with id {entity_id[:60]!r}.")

    def find_one(self, cls: type[E], *, lock: bool = False, **equals: Any) -> E | None:
        """Load the newest entity whose fields equal the values, if there is one."""
        found = self.find(cls, lock=lock, limit=1, **equals)
        return found[0] if found else None

    def find(self, cls: type[E], *, lock: bool = False, limit: int | None = None, **equals: Any) -> list[E]:
        """Load the entities whose fields equal the values (a list: one of them), newest first.

        One of none finds nothing, and asks nothing.
        """
        if any(isinstance(value, COLLECTIONS) and not value for value in equals.values()):
            return []
        declared = resource_of(cls)
        statement = self._select(declared)
        for name, value in equals.items():
            column = declared.table.c[name]
            statement = statement.where(matches(column, value))
        statement = statement.limit(limit).with_for_update() if lock else statement.limit(limit)
        return self.load(cls, statement)

    def by_id(self, cls: type[E], ids: Iterable[str | None]) -> dict[str, E]:
        """Load the entities of these ids, by their ids, newest first; None is no id."""
        return {entity.id: entity for entity in self.find(cls, id=sorted({i for i in ids if i}))}

    def load(self, cls: type[E], statement: Select[Any]) -> list[E]:
        """Load the entities of a statement over the columns of their table."""
        build = row_builder(cls)
        return [build(row) for row in self.connection.execute(statement)]

    def select(self, cls: type[Entity], *clauses: ColumnElement[bool]) -> Select[Any]:
        """Start a statement over this organization's entities, newest first."""
        return self._select(resource_of(cls)).where(*clauses)

    def visible(
        self, cls: type[Entity], ids: ColumnElement[Any] | None = None
    ) -> Iterable[ColumnElement[bool]]:
        """Give the conditions for lists of a class, or of what names its ids in another column."""
        declared = resource_of(cls)
        return self.narrowing(declared, declared.table.c.id if ids is None else ids)

    def page(self, cls: type[E], page: PageRequest, clauses: Iterable[ColumnElement[bool]] = ()) -> Page[E]:
        """Load one page, newest first, of what may be seen."""
        table = resource_of(cls).table
        statement = self.select(cls, *clauses, *self.visible(cls)).limit(page.size + 1)
        if page.after is not None:
            statement = statement.where(table.c.id < page.after)
        found = self.load(cls, statement)
        more = len(found) > page.size
        return Page(found[: page.size], to_token(found[page.size - 1].id) if more else None)

    def _select(self, declared: Resource) -> Select[Any]:
        table = declared.table
        columns = (table.c[f.name] for f in declared.fields)
        return select(*columns).where(table.c.org_id == self.org_id).order_by(table.c.id.desc())

    # --- save -----------------------------------------------------------------------------------

    def create(self, entity: E) -> E:
        """Store a new entity. Raises InvalidBody with every problem."""
        return self._save(self._begun(entity), None)

    def create_all(self, entities: Sequence[E]) -> list[E]:
        """Store new entities of one class in a few statements, with the checks and events of `create`.

        None may refer to another of them. Raises InvalidBody with every problem: `[2].code` is the third's.
        """
        if not entities:
            return []
        declared = resource_of(type(entities[0]))
        new = [each.settle(self, None) for each in map(self._begun, entities)]
        found = clashes_of_all(self, declared, new)
        problems = [
            Problem(f"[{i}].{problem.field}", problem.code, problem.message)
            for i, each in enumerate(new)
            for problem in (*each.check(), *found.get(i, ()), *each.check_stored(self, None))
        ]
        if problems:
            raise InvalidBody(problems)
        try:
            rows = [{"org_id": self.org_id, **column_values(each)} for each in new]
            self.execute(insert_statement(declared.cls), rows)
        except IntegrityError as error:
            raise InvalidBody([clash_of(error, None)]) from error
        self.record(self, *(Change("created", declared, None, each) for each in new))
        return new

    def _begun(self, entity: E) -> E:
        """Give a new entity its id, its first version and who made it."""
        now = self.clock.now()
        return msgspec.structs.replace(
            entity,
            id=entity.id or new_id(),
            version=1,
            dt_created=now,
            dt_last_modified=now,
            created_by=self.actor,
            last_modified_by=self.actor,
        )

    def update(self, old: E, new: E) -> E:
        """Replace a loaded entity by its successor, one version on. Raises InvalidBody, StaleVersion."""
        successor = msgspec.structs.replace(
            new,
            id=old.id,
            version=old.version + 1,
            dt_created=old.dt_created,
            dt_last_modified=self.clock.now(),
            created_by=old.created_by,
            last_modified_by=self.actor,
        )
        return self._save(successor, old)

    def delete(self, cls: type[E], entity_id: str) -> E:
        """Delete one entity. Raises ResourceNotFound, NotDeletable, InUse."""
        old = self.get(cls, entity_id, lock=True)
        declared = resource_of(cls)
        if problems := [*old.check_delete(self)]:
            message = f"This {declared.noun} cannot be deleted: {problems[0].message}"
            raise NotDeletable(message, problems=problems)
        table = declared.table
        try:
            self.execute(delete(table).where(table.c.org_id == self.org_id, table.c.id == entity_id))
        except IntegrityError as error:
            raise InUse(f"This {declared.noun} is in use by {user_of(error)}; remove that first.") from error
        self.record(self, Change("deleted", declared, old, None))
        return old

    def _save(self, new: E, old: E | None) -> E:
        declared = resource_of(type(new))
        settled = new.settle(self, old)
        problems = [*settled.check(), *settled.check_stored(self, old)]
        asked = questions_of(settled)
        if problems or not insert_answers(asked):
            problems += clashes(self, settled, asked)
        if problems:
            raise InvalidBody(problems)
        values = {"org_id": self.org_id, **column_values(settled)}
        table = declared.table
        try:
            if old is None:
                self.execute(insert_statement(declared.cls), values)
            else:
                own = (table.c.org_id == self.org_id, table.c.id == old.id, table.c.version == old.version)
                if self.execute(update(table).where(*own).values(values)).rowcount == 0:
                    raise stale(declared, old.version, None)
        except IntegrityError as error:
            raise InvalidBody([clash_of(error, settled)]) from error
        self.record(self, Change("updated" if old else "created", declared, old, settled))
        return settled


def from_request(cls: type[E], request: VersionedRequest) -> E:
    """Turn a request body into the entity it describes."""
    declared = resource_of(cls)
    return cls(**{f.name: getattr(request, f.name) for f in declared.fields if not (f.computed or f.hidden)})


def replace_versioned(tx: Transaction, old: E, request: VersionedRequest) -> E:
    """Replace an entity by a request body that has to carry its current version (semantics §1).

    Omitted optional fields are cleared. Raises InvalidBody, StaleVersion.
    """
    declared = resource_of(type(old))
    require_version(old, request)
    new = from_request(type(old), request)
    kept = {f.name: getattr(old, f.name) for f in declared.fields if f.hidden}
    return tx.update(old, msgspec.structs.replace(new, **kept))


def require_version(old: Entity, request: VersionedRequest) -> None:
    """Let an update pass that carries the current version. Raises InvalidBody, StaleVersion."""
    if request.version is None:
        raise InvalidBody([Problem("version", "required", f"is required: the current one is {old.version}")])
    if request.version != old.version:
        raise stale(resource_of(type(old)), request.version, old.version)


def stale(declared: Resource, sent: int, current: int | None) -> StaleVersion:
    """Make the error for an update that was based on an older state."""
    now = f"is now at version {current}" if current else "has just been changed by someone else"
    return StaleVersion(
        f"You sent version {sent}, but this {declared.noun} {now}: get it again and repeat the change."
    )
