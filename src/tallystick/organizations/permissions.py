"""Permission statements and what they allow. Pure.

A resource is named by an MRI, `service:type/item/id`. A pattern of a statement is such a name cut short at
any `/`, or with `*` in place of a whole segment: `config:meter`, `config:meter/*` and `config:meter/item/*`
all mean every meter, `config:*` everything of a service, `*` everything. `config:meter/group/{id}` means the
meters in a resource group, and in the groups inside it. Letter case does not matter.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from tallystick.kernel.problems import Problem

PATTERN = re.compile(
    r"\*|[a-z]+:(?:\*|[a-z0-9]+(?:/(?:\*|(?:item|group)(?:/(?:\*|[a-z0-9._-]+))?))?)", re.IGNORECASE
)
ANY, GROUP = "*", "group"
MOST_RESOURCES = 200
"So many patterns have the statements of one policy together: each request looks through them."
_TYPE, _WHOLE = 2, 4
"Segments of a pattern: service and type; then item or group, and its id."


class Effect(StrEnum):
    """What a statement does; `allow` and `ALLOW` are the same."""

    ALLOW = "ALLOW"
    DENY = "DENY"

    @classmethod
    def _missing_(cls, value: object) -> "Effect | None":
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None


class Action(StrEnum):
    """What a caller may do; `CONFIG_CREATE` and `config:create` are the same, as are `ALL` and `*`."""

    ALL = "ALL"
    CONFIG_CREATE = "CONFIG_CREATE"
    CONFIG_RETRIEVE = "CONFIG_RETRIEVE"
    CONFIG_UPDATE = "CONFIG_UPDATE"
    CONFIG_DELETE = "CONFIG_DELETE"
    CONFIG_EXPORT = "CONFIG_EXPORT"
    ANALYTICS_QUERY = "ANALYTICS_QUERY"
    MEASUREMENTS_UPLOAD = "MEASUREMENTS_UPLOAD"
    MEASUREMENTS_FILEUPLOAD = "MEASUREMENTS_FILEUPLOAD"
    MEASUREMENTS_RETRIEVE = "MEASUREMENTS_RETRIEVE"
    MEASUREMENTS_EXPORT = "MEASUREMENTS_EXPORT"
    FORECAST_RETRIEVE = "FORECAST_RETRIEVE"
    HEALTHSCORES_RETRIEVE = "HEALTHSCORES_RETRIEVE"
    ANOMALIES_RETRIEVE = "ANOMALIES_RETRIEVE"
    EXPORTS_DOWNLOAD = "EXPORTS_DOWNLOAD"
    MARKETPLACE_USAGE_CREATE = "MARKETPLACE_USAGE_CREATE"
    MARKETPLACE_USAGE_RETRIEVE = "MARKETPLACE_USAGE_RETRIEVE"
    AUDIT_RETRIEVE = "AUDIT_RETRIEVE"

    @classmethod
    def _missing_(cls, value: object) -> "Action | None":
        if not isinstance(value, str):
            return None
        return cls.ALL if value == ANY else _BY_PLAIN_NAME.get(_plain(value))


def _plain(name: str) -> str:
    """Reduce `MARKETPLACE_USAGE_CREATE` and `marketplaceUsage:create` to the same letters."""
    return name.replace(":", "").replace("_", "").upper()


_BY_PLAIN_NAME = {_plain(action.name): action for action in Action}


class Statement(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """One sentence of a permission policy: these actions on these resources are allowed, or denied."""

    effect: Effect
    action: Annotated[list[Action], Meta(min_length=1)]
    resource: Annotated[list[str], Meta(min_length=1)]


ALLOW_EVERYTHING = Statement(effect=Effect.ALLOW, action=[Action.ALL], resource=[ANY])


def no_groups() -> Collection[str]:
    """Say that a thing is in no resource group."""
    return ()


def allows(
    statements: Iterable[Statement],
    action: str,
    resource: str,
    groups: Callable[[], Collection[str]] = no_groups,
) -> bool:
    """Tell whether the statements allow an action on a resource.

    action: `config:create` or `CONFIG_CREATE`; an unknown one is a bug and raises ValueError.
    resource: `config:meter/item/{id}`; `config:meter/item/*` asks for the type as a whole, as create and
    list do: a statement about single meters or a group neither allows nor denies that.
    groups: gives the ids of the groups the thing is in; asked only when a statement names groups of its type.
    Rule: semantics §2 — what nobody allows is denied, and an explicit deny beats every allow.
    """
    return said_of(statements, action, resource, groups) is Effect.ALLOW


def said_of(
    statements: Iterable[Statement],
    action: str,
    resource: str,
    groups: Callable[[], Collection[str]] = no_groups,
) -> Effect | None:
    """Tell what statements say of an action on a resource, as `allows` asks it; None is nothing."""
    wanted, name = Action(action), _segments(resource)
    about = [s for s in statements if wanted in s.action or Action.ALL in s.action]
    names = [name]
    if len(name) == _WHOLE and name[3] != ANY and any(_asks_for_groups(s, name) for s in about):
        names += [(*name[:2], GROUP, group.casefold()) for group in groups()]
    said: Effect | None = None
    for statement in about:
        if any(_covers(_segments(pattern), each) for pattern in statement.resource for each in names):
            if statement.effect is Effect.DENY:
                return Effect.DENY
            said = Effect.ALLOW
    return said


def allows_all(statements: Iterable[Statement], action: str, pattern: str) -> bool:
    """Tell whether an action is allowed on all that a pattern means, and denied on none of it."""
    wanted = Action(action)
    about = [s for s in statements if wanted in s.action or Action.ALL in s.action]
    return _holds(about, _padded(pattern))


class Denied(msgspec.Struct, frozen=True):
    """What denies forbid of a type beside the type itself: things, and what is in groups, by their ids."""

    items: frozenset[str]
    groups: frozenset[str]
    any_group: bool


def denied_singly(statements: Iterable[Statement], action: str, type_name: str) -> Denied:
    """Find the single things and groups of a type that an action is denied on. type_name: `config:meter`."""
    wanted, name = Action(action), _segments(type_name)
    found = [
        pattern
        for s in statements
        if s.effect is Effect.DENY and (wanted in s.action or Action.ALL in s.action)
        for pattern in map(_padded, s.resource)
        if _covers(pattern[:_TYPE], name)
    ]
    groups = {pattern[3] for pattern in found if pattern[_TYPE] == GROUP}
    items = {pattern[3] for pattern in found if pattern[_TYPE] == "item"}
    return Denied(frozenset(items), frozenset(groups - {ANY}), ANY in groups)


def exceeding(own: Sequence[Statement], given: Iterable[Statement]) -> Iterator[tuple[Action, str]]:
    """Find what the allowing statements of `given` allow and those of `own` do not: action and pattern.

    An own deny that touches a pattern at all takes it away whole: what is handed on can name no exception.
    """
    for statement in given:
        if statement.effect is Effect.DENY:
            continue
        actions = [a for a in Action if a is not Action.ALL] if Action.ALL in statement.action else None
        for action in actions or statement.action:
            for pattern in statement.resource:
                if not allows_all(own, action, pattern):
                    yield action, pattern


def taken_away(statements: Iterable[Statement]) -> list[Statement]:
    """Give what is handed on by lifting statements: everything that their denies forbid."""
    return [
        Statement(effect=Effect.ALLOW, action=s.action, resource=s.resource)
        for s in statements
        if s.effect is Effect.DENY
    ]


def added(old: Sequence[Statement], new: Sequence[Statement]) -> list[Statement]:
    """Give what replacing `old` by `new` hands on: new allows, and the denies that are lifted."""
    allows_more = [s for s in new if s.effect is Effect.ALLOW and s not in old]
    return [*allows_more, *taken_away(s for s in old if s not in new)]


def speaks_of(statement: Statement, group_type: str, groups: Collection[str]) -> bool:
    """Tell whether a statement is about one of the groups of a type, by its id or as any group."""
    kind = ("config", group_type.casefold())
    for pattern in map(_segments, statement.resource):
        if pattern[: _TYPE + 1] != (*kind, GROUP):
            continue
        if len(pattern) < _WHOLE or pattern[3] == ANY or pattern[3] in groups:
            return True
    return False


def statement_problems(field: str, statements: Sequence[Statement]) -> Iterator[Problem]:
    """Find the resources of statements that are no pattern, and statements that say too much."""
    if sum(len(statement.resource) for statement in statements) > MOST_RESOURCES:
        yield Problem(field, "wrong_length", f"must name at most {MOST_RESOURCES} resources in all")
        return
    for i, statement in enumerate(statements):
        if len(statement.action) > len(Action):
            yield Problem(f"{field}[{i}].action", "wrong_length", f"must have at most {len(Action)} elements")
        for k, pattern in enumerate(statement.resource):
            if not PATTERN.fullmatch(pattern):
                message = (
                    "must be * or look like config:meter/*, config:plan/item/{id} or config:plan/group/{id}"
                )
                yield Problem(f"{field}[{i}].resource[{k}]", "wrong_format", message)


def _asks_for_groups(statement: Statement, name: Sequence[str]) -> bool:
    """Tell whether a statement names groups of the type of thing."""
    patterns = (_segments(pattern) for pattern in statement.resource)
    return any(len(p) > _TYPE and p[_TYPE] == GROUP and _covers(p[:_TYPE], name) for p in patterns)


def _holds(own: Iterable[Statement], asked: Sequence[str]) -> bool:
    """Tell whether all of a padded pattern is allowed, and none of it denied."""
    held = False
    for statement in own:
        patterns = [_padded(pattern) for pattern in statement.resource]
        if statement.effect is Effect.DENY:
            if any(_touches(p, asked) for p in patterns):
                return False
        elif any(_covers(p, asked) for p in patterns):
            held = True
    return held


def _touches(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether two padded patterns can mean the same thing; any group may hold any item."""
    same = [a == b or ANY in (a, b) for a, b in zip(one, other, strict=True)]
    single = one[_TYPE] == other[_TYPE] != GROUP
    return same[0] and same[1] and (same[3] or not single)


@lru_cache(maxsize=4096)
def _padded(pattern: str) -> tuple[str, ...]:
    """Write a pattern with all its segments; any item is anything of the type."""
    segments = _segments(pattern)
    whole = (*segments, *[ANY] * (_WHOLE - len(segments)))
    return (*whole[:_TYPE], ANY, ANY) if whole[_TYPE:] == ("item", ANY) else whole


def _covers(pattern: Sequence[str], name: Sequence[str]) -> bool:
    """A pattern's segments equal the name's, as far as the pattern goes; the rest is covered."""
    if pattern == (ANY,):
        return True
    return len(pattern) <= len(name) and all(
        mine in (ANY, asked) for mine, asked in zip(pattern, name, strict=False)
    )


@lru_cache(maxsize=4096)
def _segments(name: str) -> tuple[str, ...]:
    service, colon, rest = name.casefold().partition(":")
    return (service, *rest.split("/")) if colon else (service,)
