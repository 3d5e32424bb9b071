"""Looking at usage and bills. Saved queries are a declared resource: their routes are generic."""

from collections.abc import Iterator

from tallystick.api.routes import Call, Permission, Route, organization_path
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
    yield Route(
        "POST",
        organization_path("usage/query"),
        QUERY_USAGE,
        query_usage,
        "queryUsage",
        TAG,
        "Query usage",
        request=UsageQueryRequest,
        answer=UsageQueryResponse,
        repeatable=True,
    )
    yield Route(
        "POST",
        organization_path("dataexplorer/bills"),
        QUERY_BILLS,
        query_bills,
        "queryBillData",
        TAG,
        "Query bill lines",
        request=QueryBillDataRequest,
        answer=BillDataResponse,
        repeatable=True,
    )


def query_usage(call: Call) -> UsageQueryResponse:
    """Group and aggregate usage, or list it."""
    return call.services.explorer.usage(call.org_id, call.body)


def query_bills(call: Call) -> BillDataResponse:
    """List bill lines with their bill and account."""
    return call.services.explorer.bills(call.org_id, call.body)
