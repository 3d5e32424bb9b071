"""Queries that are kept under a name."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta

from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Entity, Transaction, resource
from tallystick.usage.query.known import load_known
from tallystick.usage.query.planning import stored_problems
from tallystick.usage.query.request import UsageQueryRequest


@resource("usage/savedqueries", event="configuration.usagesavedquery")
class UsageSavedQuery(Entity, kw_only=True):
    """A query over usage under a name; with a timePeriod it is about other days every day (semantics §31)."""

    name: Annotated[str, Meta(min_length=1)]
    usage_query: UsageQueryRequest

    def check(self) -> Iterator[Problem]:
        """The query could be asked."""
        yield from _inside(self.usage_query.problems())

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """Its meters, fields and accounts exist; later they may go, and then the query is refused."""
        yield from _inside(stored_problems(self.usage_query, load_known(tx, self.usage_query)))


def _inside(problems: Iterable[Problem]) -> Iterator[Problem]:
    for each in problems:
        yield Problem(f"usageQuery.{each.field}", each.code, each.message)
