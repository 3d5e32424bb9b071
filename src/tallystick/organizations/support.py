"""Support access: what the operator's support users may do in an organization, and until when."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec

from tallystick.kernel.problems import Problem
from tallystick.organizations.permissions import Statement, statement_problems
from tallystick.platform.resources import Entity, resource
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.wire import InvalidBody, reader


@resource("support", event="configuration.support", singleton=True, verbs=("get",))
class Support(Entity, kw_only=True):
    """What support users may do, beside what policies given to SUPPORTUSERS allow (semantics §2)."""

    dt_end_support_users_access: datetime
    "Exclusive; access ends by itself."
    support_users_permission_policy: list[Statement] = []

    def check(self) -> Iterator[Problem]:
        """Statements name resources."""
        yield from statement_problems("supportUsersPermissionPolicy", self.support_users_permission_policy)


class StatementInWords(msgspec.Struct, kw_only=True, rename="camel"):
    """A statement as the original API describes it here: words are checked all the same."""

    effect: str
    action: list[str]
    resource: Annotated[list[str], msgspec.Meta(min_length=1)]


class SupportRequest(VersionedRequest, kw_only=True, rename="camel"):
    """Until when support users may come in, and what they may do."""

    dt_end_support_users_access: datetime
    support_users_permission_policy: list[StatementInWords] = []

    def support(self) -> Support:
        """Give the support access that is asked for. Raises InvalidBody."""
        problems: list[Problem] = []
        raw = msgspec.to_builtins(self.support_users_permission_policy)
        statements = reader(list[Statement])(raw, "supportUsersPermissionPolicy", problems)
        if problems:
            raise InvalidBody(problems)
        return Support(
            dt_end_support_users_access=self.dt_end_support_users_access,
            support_users_permission_policy=statements,
        )
