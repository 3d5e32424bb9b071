"""Users: the people who work in an organization."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta
from sqlalchemy import Index

from tallystick.kernel.problems import Problem
from tallystick.organizations.permissions import Statement, statement_problems
from tallystick.platform.resources import Entity, Hidden, resource, resource_of

EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
LONGEST_EMAIL = 254
PersonName = Annotated[str, Meta(max_length=100)]


@resource("users", event="configuration.user", unique=("email",), verbs=())
class User(Entity, kw_only=True):
    """A person who logs in. The same person may be a user of several organizations."""

    first_name: PersonName = ""
    last_name: PersonName = ""
    contact_number: Annotated[str, Meta(max_length=50)] | None = None
    email: str
    permission_policy: list[Statement] = []
    "Empty allows nothing."
    dt_end_access: datetime | None = None
    password_hash: Annotated[str | None, Hidden()] = None
    "None cannot log in with a password."

    def check(self) -> Iterator[Problem]:
        """The e-mail address could be one, in the one form that is stored; statements name resources."""
        if not EMAIL.fullmatch(self.email) or len(self.email) > LONGEST_EMAIL:
            yield Problem("email", "wrong_format", "must be an e-mail address")
        elif self.email != plain_email(self.email):
            yield Problem("email", "wrong_format", "must be in lower case, without spaces around it")
        yield from statement_problems("permissionPolicy", self.permission_policy)


Index("ix_users_email", resource_of(User).table.c.email)  # a log-in names a person before an organization


def plain_email(given: str) -> str:
    """Bring an e-mail address into the one form in which it is stored and compared."""
    return given.strip().casefold()
