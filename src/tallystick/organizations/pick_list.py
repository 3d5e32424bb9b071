"""What the entries of pick lists share: an organization chooses them, and archives what it uses no more."""

import re
from collections.abc import Iterator
from typing import Self

import msgspec

from tallystick.kernel.problems import Problem
from tallystick.platform.resources import By, Entity, Filter, Identifier, Name, Transaction
from tallystick.platform.resources.fields import IDENTIFIER_PATTERN

PICK_LIST_FILTERS: tuple[Filter, ...] = (
    By("codes", "code", many=True, item=str),
    By("archived", "archived", item=bool),
)


class PickListEntry(Entity, kw_only=True):
    """A code to choose from. An archived one stays where it is used, and is not chosen any more (§24)."""

    code: Identifier | None = None
    "Left out, it is the name at first, and stays what it is from then on."
    name: Name
    archived: bool = False

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Name the code after the name where none was given, but do not rename it with the name."""
        return self if self.code else msgspec.structs.replace(self, code=old.code if old else self.name)

    def check(self) -> Iterator[Problem]:
        """A code that was taken from the name is a code."""
        if not re.fullmatch(IDENTIFIER_PATTERN, self.code or self.name):
            yield Problem("code", "required", "is required: the name cannot serve as one")
