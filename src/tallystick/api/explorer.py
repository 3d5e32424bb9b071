"""Looking at usage and bills. Saved queries are a declared resource: their routes are generic."""

from collections.abc import Iterator
from typing import Any

from tallystick.api.routes import Call, Permission, Route, verb_route
from tallystick.explorer.bill_query import BillDataResponse, QueryBillDataRequest
from tallystick.explorer.saved_query import UsageSavedQuery
from tallystick.explorer.service import UsageQueryResponse
from tallystick.usage.query.request import UsageQueryRequest

TAG = UsageSavedQuery.__name__
_AS_THE_ORIGINAL = (
    Permission("config:create", "config:analyticsjob"),
    Permission("config:retrieve", "config:analyticsjob"),
    Permission("config:retrieve", "analytics:usage"),
)
"What policies for the original API allow to let somebody use the data explorer (semantics §2)."
QUERY_USAGE = Permission("analytics:query", "analytics:usage", instead=_AS_THE_ORIGINAL)
QUERY_BILLS = Permission("analytics:query", "analytics:bill")


def explorer_routes() -> Iterator[Route]:
    """Make the routes."""
    usage: dict[str, Any] = {"request": UsageQueryRequest, "answer": UsageQueryResponse, "repeatable": True}
    yield verb_route("POST", "usage/query", QUERY_USAGE, query_usage, "queryUsage", TAG, **usage)
    bills: dict[str, Any] = {"request": QueryBillDataRequest, "answer": BillDataResponse, "repeatable": True}
    yield verb_route("POST", "dataexplorer/bills", QUERY_BILLS, query_bills, "queryBillData", TAG, **bills)


def query_usage(call: Call) -> UsageQueryResponse:
    """Query usage: group and aggregate it, or list it."""
    return call.services.explorer.usage(call.org_id, call.body)


def query_bills(call: Call) -> BillDataResponse:
    """Query bill lines, each with its bill and account."""
    return call.services.explorer.bills(call.org_id, call.body)
