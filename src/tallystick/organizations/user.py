"""Users: the people who work in an organization."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Self

import msgspec
from msgspec import Meta
from sqlalchemy import Index

from tallystick.kernel.problems import Problem
from tallystick.organizations.permissions import Statement, statement_problems
from tallystick.platform.resources import Computed, Entity, Hidden, Transaction, resource, resource_of

EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
LONGEST_EMAIL = 254
PersonName = Annotated[str, Meta(max_length=100)]


@resource("users", event="configuration.user", unique=("email",), max_page_size=200, verbs=("get", "list"))
class User(Entity, kw_only=True):
    """A person who logs in. The same person may be a user of several organizations."""

    first_name: PersonName = ""
    last_name: PersonName = ""
    contact_number: Annotated[str, Meta(max_length=50)] | None = None
    email: str
    permission_policy: list[Statement] = []
    "Empty allows nothing."
    dt_end_access: datetime | None = None
    "Exclusive; access ends by itself. None does not end."
    organizations: Annotated[list[str], Computed()] = []
    "Only this one: what else a person works in is not told."
    first_accepted_terms_and_conditions: Annotated[datetime | None, Computed()] = None
    last_accepted_terms_and_conditions: Annotated[datetime | None, Computed()] = None
    support_user: Annotated[bool, Computed()] = False
    "The operator's own staff: let into other organizations where those grant support access."
    password_hash: Annotated[str | None, Hidden()] = None
    "None cannot log in with a password."
    credentials_version: Annotated[int, Hidden()] = 0
    "Counts up when a password changes; what was issued before is no longer taken."
    single_sign_on_subject: Annotated[str | None, Hidden()] = None
    "Issuer and subject that this person came with first; nobody else of the address gets in that way."

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Say which organization this is."""
        return msgspec.structs.replace(self, organizations=[tx.org_id])

    def check(self) -> Iterator[Problem]:
        """The e-mail address could be one, in the one form that is stored; statements name resources."""
        if not is_email(self.email):
            yield Problem("email", "wrong_format", "must be an e-mail address")
        elif self.email != plain_email(self.email):
            yield Problem("email", "wrong_format", "must be in lower case, without spaces around it")
        yield from statement_problems("permissionPolicy", self.permission_policy)


Index("ix_users_email", resource_of(User).table.c.email)  # a log-in names a person before an organization


def is_email(text: str) -> bool:
    """Tell whether a text could be an e-mail address; only a mail that arrives proves it is one."""
    return EMAIL.fullmatch(text) is not None and len(text) <= LONGEST_EMAIL


def plain_email(given: str) -> str:
    """Bring an e-mail address into the one form in which it is stored and compared."""
    return given.strip().casefold()
