"""An assistant talks to the Model Context Protocol server, through the protocol's own client."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from mcp import Client, StdioServerParameters

from tests.support.world import World

READING = {
    "list_kinds",
    "list_entities",
    "get_entity",
    "show_bill",
    "explain_line",
    "verify_bill",
    "preview_bill",
    "query_usage",
}
WRITING = {"create_entity", "update_entity", "send_usage", "run_bills", "approve_bill"}


def talk(
    world: World,
    work: Callable[[Client], Coroutine[Any, Any, None]],
    *options: str,
    secret: str | None = None,
) -> None:
    """Start the server for an organization, as an assistant does, and talk to it."""
    names = {"URL": world.url, "ORG": world.org_id, "ACCESS_KEY": world.key}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TALLYSTICK_")}
    environment |= {f"TALLYSTICK_{name}": value for name, value in names.items()}
    environment["TALLYSTICK_API_SECRET"] = secret or world.secret
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "tallystick", "mcp", *options], env=environment
    )

    async def run() -> None:
        async with Client(server) as client:
            await work(client)

    asyncio.run(asyncio.wait_for(run(), 60))


async def ask(client: Client, tool: str, **given: Any) -> Any:
    """Call a tool, and give what it answers as JSON."""
    answer = await client.call_tool(tool, given)
    assert not answer.is_error, answer.content
    return json.loads(answer.content[0].text)


async def refused(client: Client, tool: str, **given: Any) -> str:
    """Call a tool that refuses, and give what it says."""
    answer = await client.call_tool(tool, given)
    assert answer.is_error
    return str(answer.content[0].text)


def test_a_month_is_billed_explained_and_verified(world: World) -> None:
    product = world.product()
    meter = world.meter(product)
    plan = world.plan(product)
    world.pricing(plan["id"], world.aggregation(meter["id"])["id"], (0, 0, 0.15))
    world.attach(world.account()["id"], plan["id"], "2025-05-01")

    async def work(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == READING | WRITING
        assert {tool.name for tool in tools if tool.annotations.read_only_hint} == READING
        measured = world.measure("acme", "2025-05-03T00:00:00Z", uid="first", distance=3)
        await ask(client, "send_usage", measurements=[measured])
        request = {"billingFrequency": "MONTHLY", "lastDateInBillingPeriod": "2025-05-31"}
        made = await ask(client, "run_bills", request=request)
        assert [bill["billTotal"] for bill in made["bills"]] == ["0.45"]
        assert (await ask(client, "show_bill", bill="acme"))["lineItems"][0]["units"] == 3
        explained = await ask(client, "explain_line", bill="acme", line="1")
        assert any("3 x 0.15 = 0.45 USD" in step for step in explained["text"])
        assert (await ask(client, "verify_bill", bill="acme"))["matches"]
        await ask(client, "approve_bill", bill_id=made["bills"][0]["id"])
        assert (await ask(client, "show_bill", bill="acme"))["status"] == "APPROVED"

    talk(world, work, "--write")


def test_without_write_it_only_reads(world: World) -> None:
    account = world.account()

    async def work(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == READING
        assert "accounts" in await ask(client, "list_kinds")
        page = await ask(client, "list_entities", kind="accounts", filters={"codes": "acme"})
        assert [each["id"] for each in page["data"]] == [account["id"]]
        assert (await ask(client, "get_entity", kind="accounts", entity_id=account["id"]))["code"] == "acme"
        assert "There are: accountplans" in await refused(client, "list_entities", kind="secrets")
        assert "is no id" in await refused(client, "get_entity", kind="accounts", entity_id="../users")
        assert "has no bill yet" in await refused(client, "show_bill", bill="acme")

    talk(world, work)


def test_a_refusal_names_every_problem(world: World) -> None:
    async def work(client: Client) -> None:
        told = await refused(client, "create_entity", kind="products", body={"code": " "})
        assert "name" in told
        assert "code" in told

    talk(world, work, "--write")


def test_it_is_nobody_without_the_right_key(world: World) -> None:
    async def work(client: Client) -> None:
        assert await refused(client, "list_entities", kind="accounts")

    talk(world, work, secret="wrong")
