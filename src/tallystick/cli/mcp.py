"""`tallystick mcp`: a Model Context Protocol server, so that an assistant can look at usage and bills.

It is a client of a running server: what it may see and do is what the access key may. Amounts are given as
text, exact, for a model's numbers are not.
"""

from collections.abc import Callable
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

import msgspec

from tallystick import __version__
from tallystick.cli.billing import bills_of_request, explanation_of, find_bill, find_line, run_job
from tallystick.cli.client import Client
from tallystick.cli.errors import CommandError
from tallystick.cli.profile import NOWHERE, Connection, resolve

if TYPE_CHECKING:
    from mcp.server import MCPServer

INSTRUCTIONS = """\
Tallystick prices usage and bills it. Start with list_kinds, then list_entities and get_entity. A bill is
found by its id, or by an account's code for its latest one; explain_line says where an amount comes from, and
verify_bill computes the bill again from stored usage. Ends of periods are not included. Fractions are exact
decimals, given as text: do not round them, and do not add up what a bill already totals.
"""
Tool = Callable[..., Any]
MOST = 100
COLLECTION = "/organizations/{orgId}/"


def collections(interface: Any) -> frozenset[str]:
    """Give the paths of the kinds that an API lists, from its OpenAPI document."""
    lists = (
        path
        for path, operations in interface["paths"].items()
        if any(p["name"] == "nextToken" for p in operations.get("get", {}).get("parameters", ()))
    )
    own = (path.removeprefix(COLLECTION) for path in lists if path.startswith(COLLECTION))
    return frozenset(path for path in own if "{" not in path)


class Kinds:
    """The kinds of things that the server has; asked for once."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @cached_property
    def all(self) -> frozenset[str]:
        """Their paths below the organization's. Raises CommandError."""
        return collections(self._client.interface())

    def path(self, kind: str) -> str:
        """Give a kind's path. Raises CommandError that names the kinds."""
        if kind not in self.all:
            raise CommandError(f"There is no kind {kind!r}. There are: {', '.join(sorted(self.all))}.")
        return kind


def mcp(*, write: bool = False, connection: Connection = NOWHERE) -> int:
    """Serve the Model Context Protocol on standard input and output, for an assistant that starts this.

    Without --write it only reads. What it may see and do is what the access key may.

    Parameters
    ----------
    write
        Also offer tools that change things: create, update, send usage, run and approve bills.
    """
    with Client(resolve(connection)) as client:
        make_server(client, write=write).run("stdio")
    return 0


def make_server(client: Client, *, write: bool) -> "MCPServer[Any]":
    """Make the server with its tools. write: with those that change things."""
    from mcp.server import MCPServer  # noqa: PLC0415 - slow to import, and only this command needs it
    from mcp.types import ToolAnnotations  # noqa: PLC0415 - the same

    server: MCPServer[Any] = MCPServer(
        "tallystick", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING"
    )
    kinds = Kinds(client)
    reading = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    changing = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
    for tool in reading_tools(client, kinds):
        server.add_tool(_told(tool), annotations=reading, structured_output=False)
    for tool in writing_tools(client, kinds) if write else ():
        server.add_tool(_told(tool), annotations=changing, structured_output=False)
    return server


def reading_tools(client: Client, kinds: Kinds) -> tuple[Tool, ...]:
    """Make the tools that change nothing."""

    def list_kinds() -> list[str]:
        """List the kinds of things there are, such as accounts, plans and bills."""
        return sorted(kinds.all)

    def list_entities(kind: str, filters: dict[str, str] | None = None, page_token: str | None = None) -> Any:
        """List one page of a kind, newest first. filters: the list's query parameters, such as codes."""
        return client.get(kinds.path(kind), pageSize=MOST, nextToken=page_token, **(filters or {}))

    def get_entity(kind: str, entity_id: str) -> Any:
        """Get one entity of a kind by its id."""
        return client.get(f"{kinds.path(kind)}/{plain_id(entity_id)}")

    def show_bill(bill: str) -> Any:
        """Show a bill with its lines. bill: its id, or an account's code for its latest one."""
        return find_bill(client, bill)

    def explain_line(bill: str, line: str) -> Any:
        """Explain where a line's amount comes from, step by step. line: its number on the bill, or its id."""
        found = find_bill(client, bill)
        return explanation_of(client, found, find_line(found, line))

    def verify_bill(bill: str) -> Any:
        """Compute a bill again from stored usage and compare it line by line; nothing is changed."""
        return client.post(f"bills/{find_bill(client, bill)['id']}/verify", repeatable=True)

    def preview_bill(request: dict[str, Any]) -> Any:
        """Calculate a bill without storing it. request: accountIds (one), billingFrequency,
        billFrequencyInterval and lastDateInBillingPeriod.
        """
        return client.post("bills/preview", request, repeatable=True)

    def query_usage(query: dict[str, Any]) -> Any:
        """Query usage: startDate, endDate, meterIds, accountIds, aggregations, groups, filters, limit."""
        return client.post("usage/query", query, repeatable=True)

    return (
        list_kinds,
        list_entities,
        get_entity,
        show_bill,
        explain_line,
        verify_bill,
        preview_bill,
        query_usage,
    )


def writing_tools(client: Client, kinds: Kinds) -> tuple[Tool, ...]:
    """Make the tools that change things. None deletes."""

    def create_entity(kind: str, body: dict[str, Any]) -> Any:
        """Create an entity of a kind. The server names every problem at once."""
        return client.post(kinds.path(kind), body)

    def update_entity(kind: str, entity_id: str, body: dict[str, Any]) -> Any:
        """Replace an entity: body is all of it, with its current version."""
        return client.put(f"{kinds.path(kind)}/{plain_id(entity_id)}", body)

    def send_usage(measurements: list[dict[str, Any]]) -> Any:
        """Send up to 1,000 measurements: uid, meter, account, ts, and values by category. Give each a uid."""
        return client.post("measurements", {"measurements": measurements}, repeatable=True)

    def run_bills(request: dict[str, Any]) -> Any:
        """Make the bills of a period, and wait for them. request: billingFrequency,
        lastDateInBillingPeriod and, for some accounts only, accountIds.
        """
        job = run_job(client, request, lambda _done, _total: None)
        return {"job": job, "bills": bills_of_request(client, request, job["id"])}

    def approve_bill(bill_id: str) -> Any:
        """Approve a pending bill by its id."""
        return client.put(f"bills/{plain_id(bill_id)}/status", {"status": "APPROVED"})

    return create_entity, update_entity, send_usage, run_bills, approve_bill


def plain_id(entity_id: str) -> str:
    """Let an id through that is one part of a path. Raises CommandError."""
    if not entity_id or any(c in entity_id for c in "/?#%\\"):
        raise CommandError(f"{entity_id!r} is no id.")
    return entity_id


def _told(tool: Tool) -> Tool:
    """Answer as JSON text, and tell a refusal as the tool's error, with every problem."""
    from mcp.server.mcpserver.exceptions import ToolError  # noqa: PLC0415 - slow to import

    @wraps(tool)
    def run(**given: Any) -> str:
        try:
            return msgspec.json.encode(tool(**given)).decode()
        except CommandError as error:
            problems = [f"{p.field}: {p.message}" for p in error.problems]
            raise ToolError("\n".join([error.message, *problems])) from error

    run.__annotations__ = {**tool.__annotations__, "return": str}
    return run
