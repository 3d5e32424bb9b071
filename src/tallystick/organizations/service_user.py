"""Service users: programs that call the API."""

from collections.abc import Iterator

from tallystick.kernel.problems import Problem
from tallystick.organizations.permissions import Statement, statement_problems
from tallystick.platform.resources import Entity, Name, resource


@resource("serviceusers", event="configuration.serviceuser", verbs=("get", "list"))
class ServiceUser(Entity, kw_only=True):
    """A program that works for the organization, with permissions of its own (semantics §2)."""

    name: Name
    permission_policy: list[Statement] = []
    "Empty allows nothing."

    def check(self) -> Iterator[Problem]:
        """Statements name resources."""
        yield from statement_problems("permissionPolicy", self.permission_policy)
