"""What the operator asks of a server: signed with the secret in its home, which only the operator can read.

The command line uses this beside a running server, for one process owns the usage store.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from tallystick.api.routes import SIGNED, Call, Route
from tallystick.billing.usage_retention import Dropping
from tallystick.kernel.problems import Problem
from tallystick.platform.resources.wire import InvalidBody
from tallystick.usage.upkeep import UsageStats

STATS: Final = "/operator/usage"
BEFORE: Final = "/operator/usage/before/{date}"
DROP: Final = "/operator/usage/before/{date}/drop"


def operator_routes() -> Iterator[Route]:
    """Make the routes."""
    signed: dict[str, Any] = {"query": SIGNED}
    summary = "Measure stored usage"
    yield Route(
        "GET", STATS, None, usage_stats, "getUsageStats", "Operator", summary, answer=UsageStats, **signed
    )
    signed["answer"] = Dropping
    summary = "Tell what dropping old usage would drop"
    yield Route("GET", BEFORE, None, plan_dropping, "planUsageDropping", "Operator", summary, **signed)
    yield Route("POST", DROP, None, drop_usage, "dropUsage", "Operator", "Drop old usage", **signed)


def usage_stats(call: Call) -> UsageStats:
    """Measure the usage store. Raises BadSignature, LinkExpired."""
    call.check_link(STATS)
    return call.services.retention.stats()


def plan_dropping(call: Call) -> Dropping:
    """Tell what dropping would drop. Raises BadSignature, LinkExpired, UsageNeeded, UsageTooYoung."""
    call.check_link(BEFORE)
    return call.services.retention.plan(_date(call))


def drop_usage(call: Call) -> Dropping:
    """Drop whole months of usage. Raises BadSignature, LinkExpired, UsageNeeded, UsageTooYoung."""
    call.check_link(DROP)
    return call.services.retention.drop(_date(call))


def _date(call: Call) -> date:
    try:
        return date.fromisoformat(call.path["date"])
    except ValueError as error:
        raise InvalidBody([Problem("date", "wrong_format", "must be a date, such as 2024-01-31")]) from error
