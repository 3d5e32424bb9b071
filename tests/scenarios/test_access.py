"""Getting in, with a key or a password, and being kept out (semantics §2)."""

import httpx
import pytest

from tallystick.organizations.permissions import Action, Effect, Statement
from tallystick.organizations.service import (
    bootstrap,
    create_access_key,
    create_service_user,
    revoke_access_key,
)
from tests.support.live import Live
from tests.support.world import Api, World

PASSWORD = "correct horse battery staple"


def exchange(url: str, key: str, secret: str, **more: object) -> httpx.Response:
    return httpx.post(f"{url}/oauth/token", auth=(key, secret), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({"json": {"grant_type": "client_credentials"}}, id="JSON body"),
        pytest.param({"data": {"grant_type": "client_credentials"}}, id="form body"),
    ],
)
def test_a_key_is_exchanged_for_a_token_that_works(world: World, sent: dict[str, object]) -> None:
    answer = exchange(world.url, world.key, world.secret, **sent)
    assert answer.status_code == 200
    token = answer.json()
    assert (token["token_type"].lower(), token["expires_in"]) == ("bearer", 18_000)
    assert answer.headers["cache-control"] == "no-store"
    headers = {"authorization": f"Bearer {token['access_token']}"}
    assert httpx.get(f"{world.url}/organizations/{world.org_id}/products", headers=headers).status_code == 200


def test_wrong_credentials_and_wrong_grants_are_refused(world: World) -> None:
    json = {"json": {"grant_type": "client_credentials"}}
    assert exchange(world.url, world.key, "wrong", **json).json()["code"] == "wrong_credentials"
    assert exchange(world.url, world.org_id, world.secret, **json).status_code == 403
    other = exchange(world.url, world.key, world.secret, json={"grant_type": "password"})
    assert (other.status_code, other.json()["errors"][0]["field"]) == (400, "grant_type")
    bare = httpx.post(f"{world.url}/oauth/token", json={"grant_type": "client_credentials"})
    assert (bare.status_code, bare.json()["code"]) == (403, "unauthenticated")


def test_a_person_logs_in_and_guessing_is_slowed_down(live: Live) -> None:
    database, clock = live.platform.database, live.clock
    email = "grace@person.example"
    made = bootstrap(database, clock, organization="Person", admin_email=email, admin_password=PASSWORD)
    body = {"email": email, "orgId": made.org_id}

    def log_in(password: str) -> httpx.Response:
        return httpx.post(f"{live.url}/login", json={**body, "password": password})

    token = log_in(PASSWORD).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{live.url}/organizations/{made.org_id}/meters", headers=headers).status_code == 200
    answers = [log_in("wrong") for _ in range(8)]
    assert answers[0].json()["code"] == "wrong_credentials"
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert log_in(PASSWORD).status_code == 429


def test_a_service_user_may_only_do_what_its_statements_allow(world: World) -> None:
    platform = world.live.platform
    product = world.product()
    allowed = Statement(effect=Effect.ALLOW, action=[Action.CONFIG_RETRIEVE], resource=["config:product/*"])
    with platform.database.transaction(world.org_id) as tx:
        reader = create_service_user(tx, name="reader", statements=[allowed])
        key = create_access_key(tx, reader.id)
    api = Api(world.url, world.org_id, key.access_key_id, key.api_secret)
    assert api.get(f"products/{product}")["id"] == product
    for call in (
        lambda: api.post("products", {"name": "x", "code": "x"}, expect=403),
        lambda: api.delete(f"products/{product}", expect=403),
        lambda: api.get("meters", expect=403),
        lambda: api.send(world.measure("a", "2025-05-01T00:00:00Z"), expect=403),
    ):
        assert call()["code"] == "permission_denied"
    api.close()


def test_a_revoked_key_stops_within_seconds_and_so_do_its_tokens(world: World) -> None:
    world.get("products")
    with world.live.platform.database.transaction(world.org_id) as tx:
        revoke_access_key(tx, world.key)
    world.live.clock.instant = world.live.clock.now().replace(second=6)
    assert world.get("products", expect=403)["code"] == "unauthenticated"
    answer = exchange(world.url, world.key, world.secret, json={"grant_type": "client_credentials"})
    assert answer.json()["code"] == "wrong_credentials"
