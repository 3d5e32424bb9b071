"""What a declaration of a resource says, collected in one place."""

import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, Union, get_args, get_origin

import msgspec
from sqlalchemy import Table

from tallystick.kernel.problems import Problem
from tallystick.platform.resources.fields import Computed, Hidden, Id, Ref
from tallystick.platform.resources.filters import Filter
from tallystick.platform.resources.wire import Reader, reader

if TYPE_CHECKING:
    from tallystick.platform.resources.transaction import Transaction

E = TypeVar("E", bound="Entity")


class Entity(msgspec.Struct, kw_only=True, rename="camel"):
    """The fields that every stored thing has; the server sets all of them (semantics §1)."""

    hidden_names: ClassVar[frozenset[str]] = frozenset()
    "Wire names of the fields that are stored but never answered; the declaration sets it."

    id: Annotated[Id, Computed()] = ""
    version: Annotated[int, Computed()] = 0
    dt_created: Annotated[datetime | None, Computed()] = None
    dt_last_modified: Annotated[datetime | None, Computed()] = None
    created_by: Annotated[str | None, Computed()] = None
    last_modified_by: Annotated[str | None, Computed()] = None

    def check(self) -> Iterator[Problem]:
        """Find what is wrong with these values by themselves. Pure."""
        yield from ()

    def check_stored(self, tx: "Transaction", old: "Entity | None") -> Iterator[Problem]:
        """Find what clashes with stored things, before this replaces `old` (None: is created)."""
        yield from ()

    def check_delete(self, tx: "Transaction") -> Iterator[Problem]:
        """Find why this has to stay, beyond what refers to it by id."""
        yield from ()

    def settle(self, tx: "Transaction", old: Self | None) -> Self:
        """Fill the computed and hidden fields, before the checks against the store."""
        return self


class VersionedRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """What every request body may carry beside its own fields."""

    version: int | None = None


@dataclass(frozen=True)
class FieldSpec:
    """One field of a declaration: its names, its type, and what marks it."""

    name: str
    wire_name: str
    kind: Any
    bare: Any
    optional: bool
    ref: Ref | None
    computed: bool
    hidden: bool

    @property
    def is_enum(self) -> bool:
        """Tell whether the column holds an enum's value."""
        return isinstance(self.bare, type) and issubclass(self.bare, Enum)

    @property
    def is_nested(self) -> bool:
        """Tell whether the column is JSONB: lists, maps and structs."""
        is_struct = isinstance(self.bare, type) and issubclass(self.bare, msgspec.Struct)
        return is_struct or get_origin(self.bare) in {list, dict} or self.bare is Any


@dataclass(frozen=True)
class Resource:
    """A declared resource.

    path: the URL segments after `/organizations/{orgId}/`; its last one names the table.
    event: the event names' stem, such as `configuration.product` (semantics §28).
    unique: field sets that no two entities of an organization share; None never clashes.
    """

    cls: type[Entity]
    path: str
    event: str
    table: Table
    fields: tuple[FieldSpec, ...]
    unique: tuple[tuple[str, ...], ...]
    filters: tuple[Filter, ...]
    singleton: bool
    max_page_size: int
    request_type: type[VersionedRequest]
    read_request: Reader
    verbs: frozenset[str]

    @property
    def noun(self) -> str:
        """Name one such thing in a sentence: `account plan`."""
        name = self.cls.__name__
        return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()

    @property
    def permission_object(self) -> str:
        """Name the resource type as permissions do: `config:accountplan`."""
        return f"config:{self.cls.__name__.lower()}"


_REGISTRY: dict[type[Entity], Resource] = {}
_VERBS = {False: ("create", "get", "update", "delete", "list"), True: ("get", "update")}
"The routes of a collection, and of a singleton, where a declaration does not say."


def resource(  # noqa: PLR0913 - a declaration reads best as keywords
    path: str,
    *,
    event: str,
    unique: Sequence[str | tuple[str, ...]] = (),
    filters: Sequence[Filter] = (),
    singleton: bool = False,
    max_page_size: int = 100,
    verbs: Sequence[str] | None = None,
    table: str | None = None,
) -> Callable[[type[E]], type[E]]:
    """Declare a class as a resource: table, JSON, CRUD, OpenAPI, events and permission follow from it.

    table: its name, where the path's last word would say too little.
    """
    from tallystick.platform.resources.tables import build_table  # noqa: PLC0415 - tables read declarations

    def declare(cls: type[E]) -> type[E]:
        fields = tuple(_field_specs(cls))
        sets = tuple((u,) if isinstance(u, str) else u for u in unique)
        request_type = _request_type(cls, fields)
        cls.hidden_names = frozenset(f.wire_name for f in fields if f.hidden)
        _REGISTRY[cls] = Resource(
            cls=cls,
            path=path,
            event=event,
            table=build_table(table or path.rsplit("/", 1)[-1], fields, sets, _REGISTRY, singleton=singleton),
            fields=fields,
            unique=sets,
            filters=tuple(filters),
            singleton=singleton,
            max_page_size=max_page_size,
            request_type=request_type,
            read_request=reader(request_type),
            verbs=frozenset(_VERBS[singleton] if verbs is None else verbs),
        )
        return cls

    return declare


def resource_of(cls: type[Entity]) -> Resource:
    """Give the declaration of a class."""
    return _REGISTRY[cls]


def resources() -> tuple[Resource, ...]:
    """Give all declared resources, in the order of their declaration."""
    return tuple(_REGISTRY.values())


def _field_specs(cls: type[Entity]) -> Iterator[FieldSpec]:
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in msgspec.structs.fields(cls):
        marks, bare, optional = _marks(hints[field.name])
        yield FieldSpec(
            name=field.name,
            wire_name=field.encode_name,
            kind=hints[field.name],
            bare=bare,
            optional=optional,
            ref=next((m for m in marks if isinstance(m, Ref)), None),
            computed=any(isinstance(m, Computed) for m in marks),
            hidden=any(isinstance(m, Hidden) for m in marks),
        )


def bare_type(kind: Any) -> Any:
    """Give the type under the marks of a field, without None."""
    return _marks(kind)[1]


def _marks(kind: Any) -> tuple[list[Any], Any, bool]:
    """Give the marks of a type, the type under them, and whether it may be None."""
    if get_origin(kind) is Annotated:
        inner, *marks = get_args(kind)
        more, bare, optional = _marks(inner)
        return [*marks, *more], bare, optional
    if get_origin(kind) in {Union, types.UnionType}:
        members = [m for m in get_args(kind) if m is not type(None)]
        marks, bare, _ = _marks(members[0])
        return marks, bare, type(None) in get_args(kind)
    return [], kind, False


def _request_type(cls: type[Entity], fields: Sequence[FieldSpec]) -> type[VersionedRequest]:
    """Derive the body of create and update: the declared fields less those that the server sets."""
    names = {spec.name: spec.name for spec in fields if not (spec.computed or spec.hidden)}
    made: type[VersionedRequest] = part_of(cls, f"{cls.__name__}Request", names, base=VersionedRequest)
    made.__doc__ = cls.__doc__
    return made


def part_of(
    cls: type[Entity], name: str, names: Mapping[str, str], *, base: type[msgspec.Struct] = msgspec.Struct
) -> Any:
    """Derive a class that has some of a declaration's fields, with their types and defaults.

    names: the fields, and what each is called in the derived class.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    members: list[Any] = []
    for field in msgspec.structs.fields(cls):
        if field.name not in names:
            continue
        member: tuple[Any, ...] = (names[field.name], hints[field.name])
        if field.default is not msgspec.NODEFAULT:
            member = (*member, field.default)
        elif field.default_factory is not msgspec.NODEFAULT:
            member = (*member, msgspec.field(default_factory=field.default_factory))
        members.append(member)
    return msgspec.defstruct(
        name, members, bases=(base,), kw_only=True, rename="camel", module=cls.__module__
    )
