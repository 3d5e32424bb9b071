"""Pages of a list: newest first, a token for the next one, none on the last (semantics §1)."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from tallystick.kernel.problems import Problem
from tallystick.platform.resources.fields import UUID_PATTERN
from tallystick.platform.resources.wire import InvalidBody

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], rename="camel"):
    """One page of a list; no nextToken on the last."""

    data: Sequence[T]
    next_token: str | None = None


@dataclass(frozen=True)
class PageRequest:
    """How many, and after which id."""

    size: int = 100
    after: str | None = None


def to_token(last_id: str) -> str:
    """Make the token of the page that follows `last_id`."""
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def from_token(token: str) -> str:
    """Read a token. Raises InvalidBody when it is not one of ours."""
    try:
        last_id = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        last_id = ""
    if not re.fullmatch(UUID_PATTERN, last_id):
        raise InvalidBody([Problem("nextToken", "wrong_format", "is not a token of this list")])
    return last_id


def whole_number(name: str, given: str, most: int, least: int = 1) -> int:
    """Read a whole number of a query parameter. Raises InvalidBody."""
    if re.fullmatch(r"[0-9]{1,9}", given) and least <= int(given) <= most:
        return int(given)
    message = f"must be a whole number from {least} to {most}"
    raise InvalidBody([Problem(name, "out_of_range", message)])


def page_request(size: str | None, token: str | None, largest: int) -> PageRequest:
    """Read `pageSize` and `nextToken`. Raises InvalidBody."""
    wanted = min(100, largest) if size is None else whole_number("pageSize", size, largest)
    return PageRequest(wanted, from_token(token) if token else None)
