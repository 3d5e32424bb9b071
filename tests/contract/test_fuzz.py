"""Try each operation with what the OpenAPI document allows, and with what it does not.

Whatever is sent: no 5xx, no undocumented status, and no answer that breaks its own schema. The organization
that is tried holds one thing of most kinds, so that ids in paths lead somewhere.
"""

import os
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tallystick.api.openapi import document
from tests.support.live import Live
from tests.support.world import World

EXAMPLES = int(os.environ.get("TALLYSTICK_TEST_FUZZ_EXAMPLES", "3"))
"More of them by hand: the time it takes grows with them."
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def with_extensions(part: Any) -> Any:
    """Give the document with the values beyond the original API, which it names apart, among its enums."""
    if isinstance(part, list):
        return [with_extensions(each) for each in part]
    if not isinstance(part, dict):
        return part
    whole = {name: with_extensions(value) for name, value in part.items()}
    if "x-extensible-enum" in whole:
        whole["enum"] = list(dict.fromkeys([*whole.get("enum", ()), *whole["x-extensible-enum"]]))
    return whole


schema = schemathesis.openapi.from_dict(with_extensions(document()))


class Inhabited:
    """An organization that holds things, and the ids that fill paths."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.session = requests.Session()
        token = world.http.post(
            f"{world.url}/oauth/token",
            auth=(world.key, world.secret),
            json={"grant_type": "client_credentials"},
        ).json()["access_token"]
        self.session.headers["authorization"] = f"Bearer {token}"
        self._random = random.Random(5)  # noqa: S311 - which ids to try is no secret
        self._known: dict[str, list[str]] = {}

    def fill(self, path: str, given: dict[str, Any]) -> dict[str, Any]:
        """Put ids of stored things into half of the paths; the rest stays as it was made up."""
        filled = {**given, "orgId": self.world.org_id}
        for name in re.findall(r"\{(\w+)\}", path):
            if name != "orgId" and self._random.random() < 0.5:
                known = self._ids(path.partition(f"/{{{name}}}")[0], filled)
                filled[name] = self._random.choice(known) if known else filled[name]
        return filled

    def _ids(self, collection: str, filled: dict[str, Any]) -> list[str]:
        where = collection.format(**filled) if "{" in collection else collection
        if where not in self._known:
            answer = self.session.get(self.world.url + where)
            data = answer.json().get("data", []) if answer.ok else []
            self._known[where] = [each["id"] for each in data if isinstance(each, dict) and "id" in each]
        return self._known[where]


@pytest.fixture(scope="module")
def inhabited(live: Live) -> Iterator[Inhabited]:
    """Make an organization with a bill and all that leads to it."""
    world = World(live)
    world.at("2025-06-01")
    product = world.product()
    meter = world.meter(product)
    plan = world.plan(product, standingCharge=10)
    world.pricing(plan["id"], world.aggregation(meter["id"])["id"], (0, 0, 1))
    world.attach(world.account()["id"], plan["id"], "2025-04-01")
    world.send(world.measure("acme", "2025-05-03T00:00:00Z", distance=3))
    job = world.post("billjobs", {"billingFrequency": "MONTHLY"})
    while world.get(f"billjobs/{job['id']}")["status"] != "COMPLETE":
        pass
    yield Inhabited(world)
    world.close()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_any_request_gets_an_answer_that_is_documented(case: schemathesis.Case, inhabited: Inhabited) -> None:
    case.path_parameters = inhabited.fill(case.path, case.path_parameters or {})
    case.call_and_validate(inhabited.world.url, session=inhabited.session, checks=CHECKS, timeout=30)
