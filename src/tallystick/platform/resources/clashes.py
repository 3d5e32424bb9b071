"""What stored rows refuse of an entity: references to nothing, and values that have to be unique.

A resource's questions are asked in one prepared statement before the row is written, so that every problem
is told at once. When two writers race, the table's constraints refuse the row, and `clash_of` gives the same
problem.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, exists, select, tuple_
from sqlalchemy.exc import IntegrityError

from tallystick.kernel.problems import Problem
from tallystick.platform.resources.declaration import Entity, FieldSpec, Resource, resource_of
from tallystick.platform.resources.tables import metadata

if TYPE_CHECKING:
    from tallystick.platform.resources.transaction import Transaction


@dataclass(frozen=True)
class Question:
    """Asks whether the row exists that these fields refer to, or whether another row has their values.

    label: the column of the answer. wanted: the answer that is no problem. table: None where this release
    does not have it yet, so that nothing exists.
    """

    label: str
    fields: tuple[FieldSpec, ...]
    table: Table | None
    columns: tuple[str, ...]
    wanted: bool
    noun: str

    def is_asked(self, new: Entity) -> bool:
        """Tell whether it is to be asked: null refers to nothing and clashes with nothing."""
        return all(getattr(new, f.name) is not None for f in self.fields)

    def problem(self, new: Entity) -> Problem:
        """Give the problem where the answer is not the wanted one."""
        value = " and ".join(str(getattr(new, f.name)) for f in self.fields)
        name = self.fields[0].wire_name
        if self.wanted:
            return Problem(name, "unknown_reference", f"{value} is not the id of any {self.noun}")
        return Problem(name, "duplicate", f"{value} is already used by another {self.noun}")

    def condition(self) -> ColumnElement[Any] | None:
        """Give the answer as a column of a statement; None where there is no table to ask."""
        if self.table is None:
            return None
        c = self.table.c
        if self.wanted:
            same = [c.id == bindparam(self.fields[0].name, type_=c.id.type)]
        else:
            same = [c[name] == bindparam(name, type_=c[name].type) for name in self.columns]
            same.append(c.id != bindparam("own_id", type_=c.id.type))
        return exists().where(c.org_id == bindparam("org_id"), *same).label(self.label)


@cache
def _questions(cls: type[Entity]) -> tuple[Question, ...]:
    """Give all questions of a resource."""
    declared = resource_of(cls)
    by_name = {f.name: f for f in declared.fields}
    references = [_reference(f) for f in declared.fields if f.ref is not None and not f.is_nested]
    taken = [
        Question(
            f"taken_{'_'.join(names)}",
            tuple(by_name[name] for name in names),
            declared.table,
            names,
            wanted=False,
            noun=declared.noun,
        )
        for names in declared.unique
    ]
    return (*references, *taken)


def _reference(field: FieldSpec) -> Question:
    target = field.ref.target if field.ref else ""
    if isinstance(target, str):
        table, noun = metadata.tables.get(target), target.rstrip("s")
    else:
        table, noun = resource_of(target).table, resource_of(target).noun
    return Question(f"ref_{field.name}", (field,), table, ("id",), wanted=True, noun=noun)


@dataclass(frozen=True)
class _Probe:
    """All questions of a resource in one prepared statement. None: no table to ask. names: what it takes."""

    statement: Select[Any] | None
    names: tuple[str, ...]


@cache
def _probe(cls: type[Entity]) -> _Probe:
    questions = _questions(cls)
    conditions = [each for each in (question.condition() for question in questions) if each is not None]
    names = {field.name: None for question in questions for field in question.fields}
    return _Probe(select(*conditions) if conditions else None, tuple(names))


def questions_of(new: Entity) -> list[Question]:
    """Give the questions to ask of an entity."""
    return [question for question in _questions(type(new)) if question.is_asked(new)]


def insert_answers(asked: Sequence[Question]) -> bool:
    """Tell whether the insert itself answers all that would be asked: one unique value, and nothing else."""
    return not asked or (len(asked) == 1 and not asked[0].wanted)


def clashes(tx: "Transaction", new: Entity, asked: Sequence[Question]) -> Iterator[Problem]:
    """Ask in one statement whether what `new` refers to exists and its unique values are free."""
    if not asked:
        return
    probe = _probe(type(new))
    values = {"org_id": tx.org_id, "own_id": new.id, **{name: getattr(new, name) for name in probe.names}}
    answers = {} if probe.statement is None else tx.execute(probe.statement, values).mappings().one()
    for question in asked:
        if answers.get(question.label, False) is not question.wanted:
            yield question.problem(new)


def clashes_of_all(tx: "Transaction", declared: Resource, new: Sequence[Entity]) -> dict[int, list[Problem]]:
    """Ask what `clashes` asks for many new entities at once, one statement a question; by their places."""
    found: dict[int, list[Problem]] = {}
    for question in _questions(declared.cls):
        names = [f.name for f in question.fields]
        asked = {
            i: tuple(getattr(each, n) for n in names) for i, each in enumerate(new) if question.is_asked(each)
        }
        stored = _stored_keys(tx, question, set(asked.values()))
        seen: set[tuple[Any, ...]] = set()
        for i, key in asked.items():
            fine = key in stored if question.wanted else key not in stored and key not in seen
            seen.add(key)
            if not fine:
                found.setdefault(i, []).append(question.problem(new[i]))
    return found


def _stored_keys(tx: "Transaction", question: Question, keys: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """Give those of the keys that a stored row has in the columns of a question."""
    if question.table is None or not keys:
        return set()
    columns = [question.table.c[name] for name in question.columns]
    one = len(columns) == 1
    among = columns[0].in_([key[0] for key in keys]) if one else tuple_(*columns).in_(list(keys))
    rows = tx.execute(select(*columns).where(question.table.c.org_id == tx.org_id, among))
    return {tuple(row) for row in rows}


# --- refused by a constraint --------------------------------------------------------------------


def clash_of(error: IntegrityError, new: Entity | None) -> Problem:
    """Turn the constraint that refused a row into the problem that asking would have named."""
    name = _told(error, "constraint_name")
    for question in _questions(type(new)) if new is not None else ():
        columns = "_".join(question.columns)
        if new is not None and question.table is not None and name == f"uq_{question.table.name}_{columns}":
            return question.problem(new)
    return Problem("", "conflicting", "was changed or removed by someone else meanwhile; try again")


def user_of(error: IntegrityError) -> str:
    """Name the table whose row still refers to the one that was to be deleted."""
    return (_told(error, "table_name") or "something else").replace("_", " ")


def _told(error: IntegrityError, fact: str) -> str:
    """Give a fact that PostgreSQL tells of an error, or nothing."""
    return str(getattr(getattr(error.orig, "diag", None), fact, "") or "")
