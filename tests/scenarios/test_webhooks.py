"""From a change, over a rule and a configuration, to a webhook on a real server (semantics §29)."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tallystick.cli.main import make_app
from tests.support.receiver import Receiver, answers, receiver
from tests.support.world import World

PATH = "integrationdestinations/webhooks"
CREDENTIALS = {"type": "M3TER_SIGNED_REQUEST", "apiKey": "key-1", "secret": "open sesame"}


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def webhook(world: World, url: str, **more: Any) -> Any:
    body = {"name": "Hook", "description": "Tells the shop.", "url": url, "credentials": CREDENTIALS, **more}
    return world.post(PATH, body)


def until(true: Callable[[], Any]) -> Any:
    ends = time.monotonic() + 20
    while not (found := true()) and time.monotonic() < ends:
        time.sleep(0.05)
    return found


def test_a_rule_that_is_met_reaches_the_webhook(world: World, server: Receiver) -> None:
    hook = webhook(world, server.url())
    rule = {
        "name": "Products",
        "code": "products",
        "description": "A product has come.",
        "eventName": "configuration.product.created",
        "calculation": "new.code == 'air'",
    }
    rule_id = world.post("notifications/configurations", rule)["id"]
    config = {"entityType": "Notification", "entityId": rule_id, "destination": "WEBHOOK"}
    world.post("integrationconfigs", {**config, "destinationId": hook["id"]})
    product = world.product("air")
    world.product("water")
    world.settle()

    (told,) = until(server.bodies)
    assert told["type"] == "configuration.product.created"
    assert (told["data"]["notificationCode"], told["data"]["entityId"]) == ("products", product)
    assert told["data"]["event"]["newDto"]["code"] == "air"
    (made,) = until(lambda: world.get(f"{PATH}/{hook['id']}/deliveries", status="DELIVERED")["data"])
    found = world.get(f"{PATH}/{hook['id']}/deliveries/{made['id']}")
    assert found["log"][0]["statusCode"] == 200
    assert found["log"][0]["requestHeaders"]["webhook-id"] == made["messageId"]

    world.post(f"{PATH}/{hook['id']}/deliveries/{made['id']}/redeliver")
    assert until(lambda: len(server.bodies()) == 2)
    assert server.bodies()[0] == server.bodies()[1]


def test_a_webhook_is_made_changed_tried_and_switched_without_showing_its_secret(
    world: World, server: Receiver
) -> None:
    hook = webhook(world, server.url())
    assert hook["credentials"]["apiKey"] == "key-1"
    changed = {**hook, "url": server.behave("/bad", answers(500, b"no")), "credentials": CREDENTIALS}
    changed = world.put(f"{PATH}/{hook['id']}", changed)
    assert (changed["version"], changed["credentials"]["version"]) == (2, 2)
    tried = world.post(f"{PATH}/{hook['id']}/test")
    assert (tried["status"], tried["log"][0]["statusCode"], tried["log"][0]["responseBody"]) == (
        "FAILED",
        500,
        "no",
    )
    off = world.call("PUT", f"{PATH}/{hook['id']}/active", params={"active": "false"})
    assert off["active"] is False
    assert world.get(PATH)["data"] == [off]
    happened = world.get("events", resourceId=hook["id"])
    assert "sesame" not in str([hook, changed, tried, off, happened])
    world.put(f"{PATH}/{hook['id']}", {**changed, "credentials": CREDENTIALS}, expect=409)
    world.delete(f"{PATH}/{hook['id']}")
    world.get(f"{PATH}/{hook['id']}/deliveries", expect=404)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://169.254.169.254/", "ftp://example.com/"])
def test_a_webhook_inside_is_refused(world: World, url: str) -> None:
    credentials = {**CREDENTIALS, "secret": "whsec_!"}
    body = {"name": "Hook", "description": "x", "url": url, "credentials": credentials}
    problems = world.post(PATH, body, expect=400)["errors"]
    assert [problem["field"] for problem in problems] == ["url", "credentials.secret"]
    body["credentials"] = {**CREDENTIALS, "destination": "NOWHERE"}
    problems = world.post(PATH, body, expect=400)["errors"]
    assert [(p["field"], p["code"]) for p in problems] == [("credentials.destination", "unknown_value")]


def test_the_command_line_lists_tries_and_sends_again(
    world: World, server: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    webhook(world, server.url(), code="shop")
    variables = {"URL": world.url, "ORG": world.org_id, "ACCESS_KEY": world.key, "API_SECRET": world.secret}
    for name, value in variables.items():
        monkeypatch.setenv(f"TALLYSTICK_{name}", value)

    def run(*words: str) -> Any:
        ended = make_app(words)([*words, "--json"])
        return ended, json.loads(capsys.readouterr().out)

    assert [each["code"] for each in run("webhook", "list")[1]] == ["shop"]
    ended, tried = run("webhook", "test", "shop")
    assert (ended or 0, tried["status"]) == (0, "DELIVERED")
    run("webhook", "redeliver", "shop", tried["id"])
    assert until(lambda: len(server.bodies()) == 2)
    assert {each["messageId"] for each in run("webhook", "list", "shop")[1]} == {tried["messageId"]}
    server.behave("/ok", answers(404, b"not here"))
    assert run("webhook", "test", "shop")[0] == 1
