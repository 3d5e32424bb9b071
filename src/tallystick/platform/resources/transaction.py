"""Load and save declared resources of one organization, inside one database transaction.

The organization is bound when the transaction is opened, so no later call can name another one;
row-level security in the database enforces the same a second time.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Insert,
    Row,
    Select,
    Table,
    Uuid,
    any_,
    bindparam,
    delete,
    exists,
    false,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import Executable

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import Conflict, Invalid, NotFound
from tallystick.kernel.problems import Problem
from tallystick.platform.ids import new_id
from tallystick.platform.resources.declaration import (
    Entity,
    FieldSpec,
    Resource,
    VersionedRequest,
    resource_of,
)
from tallystick.platform.resources.fields import UUID_PATTERN
from tallystick.platform.resources.pages import Page, PageRequest, to_token
from tallystick.platform.resources.tables import metadata
from tallystick.platform.resources.wire import InvalidBody

E = TypeVar("E", bound=Entity)
_UUID = re.compile(UUID_PATTERN)


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
            statement = _by_id(cls, lock=lock)
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
        """Load the entities whose fields equal the values (a list: one of them), newest first."""
        declared = resource_of(cls)
        statement = self._select(declared)
        for name, value in equals.items():
            column = declared.table.c[name]
            statement = statement.where(_equals(column, value))
        statement = statement.limit(limit).with_for_update() if lock else statement.limit(limit)
        return self.load(cls, statement)

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
        clashes = self._clashes_of_all(declared, new)
        problems = [
            Problem(f"[{i}].{problem.field}", problem.code, problem.message)
            for i, each in enumerate(new)
            for problem in (*each.check(), *clashes.get(i, ()), *each.check_stored(self, None))
        ]
        if problems:
            raise InvalidBody(problems)
        try:
            rows = [{"org_id": self.org_id, **column_values(each)} for each in new]
            self.execute(_insert(declared.cls), rows)
        except IntegrityError as error:
            raise InvalidBody([_clash_of(error, None)]) from error
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
            raise InUse(f"This {declared.noun} is in use by {_user_of(error)}; remove that first.") from error
        self.record(self, Change("deleted", declared, old, None))
        return old

    def _save(self, new: E, old: E | None) -> E:
        declared = resource_of(type(new))
        settled = new.settle(self, old)
        problems = [*settled.check(), *settled.check_stored(self, old)]
        asked = [part for part in _probe(declared.cls).parts if part.is_asked(settled)]
        if problems or not _insert_answers(asked):
            problems += self._clashes(declared, settled, asked)
        if problems:
            raise InvalidBody(problems)
        values = {"org_id": self.org_id, **column_values(settled)}
        table = declared.table
        try:
            if old is None:
                self.execute(_insert(declared.cls), values)
            else:
                own = (table.c.org_id == self.org_id, table.c.id == old.id, table.c.version == old.version)
                if self.execute(update(table).where(*own).values(values)).rowcount == 0:
                    raise stale(declared, old.version, None)
        except IntegrityError as error:
            raise InvalidBody([_clash_of(error, settled)]) from error
        self.record(self, Change("updated" if old else "created", declared, old, settled))
        return settled

    def _clashes(self, declared: Resource, new: Entity, asked: Sequence["_Part"]) -> Iterator[Problem]:
        """Ask in one statement whether what `new` refers to exists and its unique fields are free."""
        if not asked:
            return
        probe = _probe(declared.cls)
        values = {
            "org_id": self.org_id,
            "own_id": new.id,
            **{f.name: getattr(new, f.name) for f in probe.inputs},
        }
        answers = self.connection.execute(probe.statement, values).mappings().one()
        for part in asked:
            if answers.get(part.label, False) is not part.wanted:
                yield part.problem(new)

    def _clashes_of_all(self, declared: Resource, new: Sequence[Entity]) -> dict[int, list[Problem]]:
        """Ask what `_clashes` asks for many new entities at once: one statement a question."""
        found: dict[int, list[Problem]] = {}
        for part in _probe(declared.cls).parts:
            names = [f.name for f in part.fields]
            asked = {
                i: tuple(getattr(each, n) for n in names) for i, each in enumerate(new) if part.is_asked(each)
            }
            stored = self._stored_keys(part, set(asked.values()))
            seen: set[tuple[Any, ...]] = set()
            for i, key in asked.items():
                fine = key in stored if part.wanted else key not in stored and key not in seen
                seen.add(key)
                if not fine:
                    found.setdefault(i, []).append(part.problem(new[i]))
        return found

    def _stored_keys(self, part: "_Part", keys: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
        """Give those of the keys that a stored row has in the columns of a question."""
        if part.table is None or not keys:
            return set()
        columns = [part.table.c[name] for name in part.columns]
        one = len(columns) == 1
        among = columns[0].in_([key[0] for key in keys]) if one else tuple_(*columns).in_(list(keys))
        rows = self.execute(select(*columns).where(part.table.c.org_id == self.org_id, among))
        return {tuple(row) for row in rows}


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


# --- rows ---------------------------------------------------------------------------------------


def among(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Ask for the rows whose column has one of the values; of ids, in one parameter however many there are.

    So the statement's text stays the same, and driver and database remember it.
    """
    if not isinstance(column.type, Uuid):
        return column.in_(list(values))
    return column == any_(literal(list(values), ARRAY(column.type)))


def _equals(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    """Ask for the rows whose column is the value, or one of them. What is no id is no row's."""
    many = isinstance(value, (list, tuple, set, frozenset))
    if value is None or not isinstance(column.type, Uuid):
        return among(column, value) if many else column == value
    if many:
        return among(column, [each for each in value if is_id(each)])
    return column == value if is_id(value) else false()


def is_id(text: str) -> bool:
    """Tell whether a text can be an entity's id."""
    return _UUID.fullmatch(text) is not None


def plain_id(text: str) -> str:
    """Give an id that is kept as text as the database writes ids; what is none stays as it is."""
    return text.lower() if is_id(text) else text


def column_values(entity: Entity) -> dict[str, Any]:
    """Give the column values of an entity, without `org_id`."""
    return {f.name: getattr(entity, f.name) for f in resource_of(type(entity)).fields}


@cache
def row_builder(cls: type[E]) -> Callable[[Row[Any]], E]:
    """Compile the function that builds an entity from a row of its table's columns."""
    declared = resource_of(cls)
    names = [f.name for f in declared.fields]
    special = [(f.name, _loader(f)) for f in declared.fields if f.is_nested or f.is_enum]

    def build(row: Row[Any]) -> E:
        values = dict(zip(names, row, strict=True))
        for name, load in special:
            if values[name] is not None:
                values[name] = load(values[name])
        return cls(**values)

    return build


def _loader(field: FieldSpec) -> Callable[[Any], Any]:
    return field.bare if field.is_enum else lambda raw: msgspec.convert(raw, field.kind)


@cache
def _insert(cls: type[Entity]) -> Insert:
    """Prepare the statement that stores one entity."""
    return insert(resource_of(cls).table)


@cache
def _by_id(cls: type[Entity], *, lock: bool) -> Select[Any]:
    """Prepare the statement that loads one entity: building it costs as much as running it."""
    declared = resource_of(cls)
    table = declared.table
    statement = select(*(table.c[f.name] for f in declared.fields)).where(
        table.c.org_id == bindparam("org_id"), table.c.id == bindparam("id")
    )
    return statement.with_for_update() if lock else statement


# --- clashes ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """One question of a probe: does a referred entity exist, is a unique value taken."""

    label: str
    fields: tuple[FieldSpec, ...]
    table: Table | None
    columns: tuple[str, ...]
    wanted: bool
    noun: str

    def is_asked(self, new: Entity) -> bool:
        return all(getattr(new, f.name) is not None for f in self.fields)

    def problem(self, new: Entity) -> Problem:
        value = " and ".join(str(getattr(new, f.name)) for f in self.fields)
        if self.wanted:
            return Problem(
                self.fields[0].wire_name, "unknown_reference", f"{value} is not the id of any {self.noun}"
            )
        return Problem(
            self.fields[0].wire_name, "duplicate", f"{value} is already used by another {self.noun}"
        )


@dataclass(frozen=True)
class _Probe:
    """All questions of a resource as one prepared statement."""

    statement: Select[Any]
    parts: tuple[_Part, ...]
    inputs: tuple[FieldSpec, ...]


@cache
def _probe(cls: type[Entity]) -> _Probe:
    declared = resource_of(cls)
    by_name = {f.name: f for f in declared.fields}
    parts: list[_Part] = []
    questions: list[ColumnElement[Any]] = []
    for field in (f for f in declared.fields if f.ref is not None and not f.is_nested):
        target = field.ref.target if field.ref else ""
        table = metadata.tables.get(target) if isinstance(target, str) else resource_of(target).table
        noun = target.rstrip("s") if isinstance(target, str) else resource_of(target).noun
        parts.append(_Part(f"ref_{field.name}", (field,), table, ("id",), wanted=True, noun=noun))
        if table is not None:  # one that this release does not have yet: no id refers to anything
            mine = (
                table.c.org_id == bindparam("org_id"),
                table.c.id == bindparam(field.name, type_=table.c.id.type),
            )
            questions.append(exists().where(*mine).label(f"ref_{field.name}"))
    own = declared.table
    for names in declared.unique:
        label = f"taken_{'_'.join(names)}"
        fields = tuple(by_name[n] for n in names)
        parts.append(_Part(label, fields, own, names, wanted=False, noun=declared.noun))
        same = [own.c[n] == bindparam(n, type_=own.c[n].type) for n in names]
        others = (own.c.org_id == bindparam("org_id"), own.c.id != bindparam("own_id", type_=own.c.id.type))
        questions.append(exists().where(*others, *same).label(label))
    inputs = {f.name: f for p in parts for f in p.fields}
    if not questions:
        questions.append(bindparam("org_id", type_=own.c.org_id.type).label("org_id"))
    return _Probe(select(*questions), tuple(parts), tuple(inputs.values()))


def _constraint(error: IntegrityError) -> str:
    return str(getattr(getattr(error.orig, "diag", None), "constraint_name", "") or "")


def _user_of(error: IntegrityError) -> str:
    """Name the table whose row still refers to the one that was to be deleted."""
    table = str(getattr(getattr(error.orig, "diag", None), "table_name", "") or "something else")
    return table.replace("_", " ")


def _insert_answers(asked: Sequence[_Part]) -> bool:
    """Tell whether the insert itself answers all that would be asked: one unique value, and nothing else."""
    return not asked or (len(asked) == 1 and not asked[0].wanted)


def _clash_of(error: IntegrityError, new: Entity | None) -> Problem:
    """Turn the constraint that refused a row into the problem that asking would have named."""
    name = _constraint(error)
    if new is not None:
        for part in _probe(type(new)).parts:
            if part.table is not None and name == f"uq_{part.table.name}_{'_'.join(part.columns)}":
                return part.problem(new)
    return Problem("", "conflicting", "was changed or removed by someone else meanwhile; try again")
