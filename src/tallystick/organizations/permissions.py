"""Permission statements and what they allow. Pure.

A resource is named by an MRI, `service:type/item/id`. A pattern of a statement is such a name cut short at
any `/`, or with `*` in place of a whole segment: `config:meter`, `config:meter/*` and `config:meter/item/*`
all mean every meter, `config:*` everything of a service, `*` everything. Letter case does not matter.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from tallystick.kernel.problems import Problem

PATTERN = re.compile(
    r"\*|[a-z]+:(?:\*|[a-z0-9]+(?:/(?:\*|(?:item|group)(?:/(?:\*|[a-z0-9._-]+))?))?)", re.IGNORECASE
)
ANY = "*"


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


def allows(statements: Iterable[Statement], action: str, resource: str) -> bool:
    """Tell whether the statements allow an action on a resource.

    action: `config:create` or `CONFIG_CREATE`; an unknown one is a bug and raises ValueError.
    resource: `config:meter/item/{id}`; `config:meter/item/*` asks for the type as a whole, as create and
    list do: a statement about single meters neither allows nor denies that.
    Rule: semantics §2 — what nobody allows is denied, and an explicit deny beats every allow.
    """
    wanted, name = Action(action), _segments(resource)
    allowed = False
    for statement in statements:
        if _is_about(statement, wanted, name):
            if statement.effect is Effect.DENY:
                return False
            allowed = True
    return allowed


def statement_problems(field: str, statements: Sequence[Statement]) -> Iterator[Problem]:
    """Find the resources of statements that are no pattern."""
    for i, statement in enumerate(statements):
        for k, pattern in enumerate(statement.resource):
            if not PATTERN.fullmatch(pattern):
                message = (
                    "must be * or look like config:meter/*, config:plan/item/{id} or config:plan/group/{id}"
                )
                yield Problem(f"{field}[{i}].resource[{k}]", "wrong_format", message)


def _is_about(statement: Statement, action: Action, name: Sequence[str]) -> bool:
    acts = action in statement.action or Action.ALL in statement.action
    return acts and any(_covers(_segments(pattern), name) for pattern in statement.resource)


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
