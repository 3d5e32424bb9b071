"""Every operation of the route table, asked by callers of every kind: each gets what the table says (§2).

Semantics §2: what nobody allows is denied, and another organization is not found.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tallystick.api.routes import KNOWN, Route, all_routes
from tallystick.organizations.permission_policy import MANAGED
from tallystick.organizations.permissions import Action, allows
from tallystick.platform.ids import new_id
from tests.support.live import Live
from tests.support.people import caller, statement
from tests.support.world import Api, World

READ_ONLY = MANAGED["Read only"]
OF_AN_ORGANIZATION = [r for r in all_routes() if r.permission is not None]
PUBLIC = [r for r in all_routes() if r.permission is None]
MISSING = "11111111-aaaa-4000-8000-00000000dead"
REFUSED = {"permission_denied", "wrong_organization", "unauthenticated"}


@dataclass(frozen=True)
class Callers:
    """One of each kind. foreign: ids of things that only the owner's organization has, by path."""

    owner: World
    reader: Api
    outsider: World
    anonymous: httpx.Client
    foreign: dict[str, str]


@pytest.fixture(scope="module")
def callers(live: Live) -> Iterator[Callers]:
    owner, outsider = World(live), World(live)
    spoken = [statement(s.effect.value, " ".join(a.value for a in s.action), *s.resource) for s in READ_ONLY]
    reader = caller(owner, *spoken, name="reader")
    product = owner.product("secret-product")
    meter = owner.meter(product, code="secret-meter")["id"]
    aggregation = owner.aggregation(meter)["id"]
    plan = owner.plan(product)
    foreign = {
        "products": product,
        "meters": meter,
        "aggregations": aggregation,
        "plans": plan["id"],
        "plantemplates": plan["planTemplateId"],
        "pricings": owner.pricing(plan["id"], aggregation, (0, 0, 1))["id"],
        "accounts": owner.account("secret-account")["id"],
        "users": owner.get("users")["data"][0]["id"],
        "serviceusers": reader.service_user_id,  # type: ignore[attr-defined] # set when it was made
        "permissionpolicies": owner.get("permissionpolicies")["data"][0]["id"],
        "resourcegroups/meter": owner.post("resourcegroups/meter", {"name": "secret-group"})["id"],
    }
    with httpx.Client(base_url=live.url) as anonymous:
        yield Callers(owner, reader, outsider, anonymous, foreign)
    for each in (owner, reader, outsider):
        each.close()


def path_of(route: Route, org_id: str, item_id: str = MISSING) -> str:
    """Fill a route's path: the organization, `meter` for a type, and one id for all the rest."""
    values = {"orgId": org_id, "type": "meter", "date": "2024-01-01"}
    return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], item_id), route.path)


def ask(http: httpx.Client, route: Route, path: str) -> httpx.Response:
    body = {"content": b"{}", "headers": {"content-type": "application/json"}}
    answer = http.request(route.method, path, **(body if route.request is not None else {}))  # type: ignore[arg-type]
    assert answer.status_code < 500, f"{route.method} {path} answered {answer.status_code}: {answer.text}"
    return answer


def code_of(answer: httpx.Response) -> str | None:
    """Give the code of a refusal; None of a success."""
    return None if answer.status_code < 400 else str(answer.json()["code"])


def may_read(route: Route) -> bool:
    assert route.permission is not None
    return route.permission is KNOWN or allows(
        READ_ONLY, route.permission.action, route.permission.resource(MISSING)
    )


@pytest.mark.parametrize("route", OF_AN_ORGANIZATION, ids=lambda r: f"{r.method} {r.path}")
def test_each_caller_gets_what_the_table_says(callers: Callers, route: Route) -> None:
    org_id = callers.owner.org_id
    path = path_of(route, org_id)
    assert code_of(ask(callers.anonymous, route, path)) == "unauthenticated"
    assert code_of(ask(callers.outsider.http, route, path)) == "wrong_organization"
    refused = code_of(ask(callers.reader.http, route, path))
    assert (refused in REFUSED, refused) == (not may_read(route), refused)
    assert code_of(ask(callers.owner.http, route, path)) not in REFUSED


@pytest.mark.parametrize(
    "route",
    [r for r in OF_AN_ORGANIZATION if "{id}" in r.path],
    ids=lambda r: f"{r.method} {r.path}",
)
def test_ids_of_another_organization_are_not_found(callers: Callers, route: Route) -> None:
    """With the outsider's own organization in the path and the owner's ids, nothing is found or told."""
    own = callers.outsider.org_id
    for collection, item_id in callers.foreign.items():
        start = "/organizations/{orgId}/" + collection.replace(
            "resourcegroups/meter", "resourcegroups/{type}"
        )
        if not route.path.startswith(f"{start}/{{"):
            continue
        answer = ask(callers.outsider.http, route, path_of(route, own, item_id))
        assert answer.status_code in {400, 403, 404}, answer.text
        if route.request is None:
            assert answer.status_code == 404, answer.text
        assert "secret" not in answer.text


def test_lists_and_searches_never_tell_of_another_organization(callers: Callers) -> None:
    known = [*callers.foreign.values(), callers.owner.org_id]
    for route in OF_AN_ORGANIZATION:
        if route.method == "GET" and "{id}" not in route.path:
            text = ask(callers.outsider.http, route, path_of(route, callers.outsider.org_id)).text
            assert not [each for each in known if each in text], route.path


@pytest.mark.parametrize("route", PUBLIC, ids=lambda r: f"{r.method} {r.path}")
def test_what_anyone_may_ask_never_fails(callers: Callers, route: Route) -> None:
    ask(callers.anonymous, route, path_of(route, new_id()))


def test_every_action_that_a_route_asks_for_is_one() -> None:
    for route in OF_AN_ORGANIZATION:
        assert route.permission is not None
        if route.permission is not KNOWN:
            Action(route.permission.action)
