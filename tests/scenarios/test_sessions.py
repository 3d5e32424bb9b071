"""Sessions of browsers, invitations and forgotten passwords: in, and kept out (semantics §2)."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tallystick.platform.addresses import read_networks
from tests.support.people import ALL, PASSWORD, join, link_token, mail_to, policy
from tests.support.world import World, second

NEW_PASSWORD = "another horse, another battery"


def log_in(
    world: World, email: str, password: str = PASSWORD, **more: str
) -> tuple[httpx.Client, httpx.Response]:
    browser = httpx.Client(base_url=world.url)
    body = {"email": email, "password": password, "orgId": world.org_id}
    return browser, browser.post("/session", json=body, headers=more)


@pytest.fixture
def ada(world: World) -> str:
    address = f"ada@{world.org_id}.example"
    join(world, address, policy(world, ALL)).close()
    return address


def meters(world: World) -> str:
    return f"/organizations/{world.org_id}/meters"


def test_a_cookie_opens_the_api_and_changes_need_the_csrf_token(world: World, ada: str) -> None:
    browser, opened = log_in(world, ada)
    cookie = opened.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Secure" not in cookie  # came over plain HTTP
    assert browser.get(meters(world)).status_code == 200
    who = browser.get("/session").json()
    assert (who["email"], who["orgId"]) == (ada, world.org_id)
    body = {"name": "P", "code": "p"}
    products = f"/organizations/{world.org_id}/products"
    tokens: tuple[dict[str, Any], ...] = ({}, {"x-csrf-token": "0" * 64}, {"x-csrf-token": b"\xe9"})
    for sent in tokens:
        refused = browser.post(products, json=body, headers=sent)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_token_wrong")
    made = browser.post(products, json=body, headers={"x-csrf-token": who["csrfToken"]})
    assert made.status_code == 200
    assert browser.delete("/session").json()["code"] == "csrf_token_wrong"
    stolen = browser.cookies["tallystick_session"]
    assert browser.delete("/session", headers={"x-csrf-token": who["csrfToken"]}).status_code == 200
    again = httpx.get(world.url + meters(world), headers={"cookie": f"tallystick_session={stolen}"})
    assert again.json()["code"] == "unauthenticated"
    operations = [each["operation"] for each in world.get("audit", entityId=who["userId"])["data"]]
    assert operations[:2] == ["LOGGED_OUT", "LOGGED_IN"]


def test_a_cookie_behind_tls_is_secure_and_other_sites_cannot_log_anyone_in(world: World, ada: str) -> None:
    _, opened = log_in(world, ada, **{"x-forwarded-proto": "https"})
    assert opened.headers["set-cookie"].endswith("; Secure")
    _, refused = log_in(world, ada, **{"sec-fetch-site": "cross-site"})
    assert (refused.status_code, refused.json()["code"]) == (403, "cross_site")
    _, wrong = log_in(world, ada, "wrong")
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (403, False)


def test_behind_a_proxy_of_ours_a_person_comes_from_where_it_says(world: World, ada: str) -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    log_in(world, ada, **forwarded)
    object.__setattr__(world.live.services, "proxies", read_networks("127.0.0.0/8"))
    try:
        log_in(world, ada, **forwarded)
    finally:
        object.__setattr__(world.live.services, "proxies", ())
    told = world.get("audit", operation="LOGGED_IN")["data"]
    assert [each["changes"]["address"] for each in told] == ["203.0.113.9", "127.0.0.1"]


def test_a_cookie_turns_over_each_hour_and_ends_when_idle(world: World, ada: str) -> None:
    browser, _ = log_in(world, ada)
    first = browser.cookies["tallystick_session"]
    world.at("2025-06-01T01:00:01")
    assert browser.get(meters(world)).status_code == 200
    second = browser.cookies["tallystick_session"]
    assert second != first
    old = {"cookie": f"tallystick_session={first}"}
    assert httpx.get(world.url + meters(world), headers=old).status_code == 200  # was under way
    world.at("2025-06-01T01:01:02")
    assert httpx.get(world.url + meters(world), headers=old).status_code == 403
    assert browser.get(meters(world)).status_code == 200
    world.at("2025-06-01T13:00:59")
    assert browser.get(meters(world)).status_code == 200
    world.at("2025-06-02T01:01:00")
    assert browser.get(meters(world)).json()["code"] == "unauthenticated"


def test_a_session_lasts_a_week_however_busy(world: World, ada: str) -> None:
    browser, _ = log_in(world, ada)
    for day in range(1, 8):
        for hour in ("00", "11", "22"):
            world.at(f"2025-06-0{day}T{hour}:30:00")
            assert browser.get(meters(world)).status_code == 200
    world.at("2025-06-08T00:00:01")
    assert browser.get(meters(world)).status_code == 403


def test_sessions_and_tokens_end_when_an_administrator_says_so(world: World, ada: str) -> None:
    browser, opened = log_in(world, ada)
    body = {"email": ada, "password": PASSWORD, "orgId": world.org_id}
    token = httpx.post(f"{world.url}/login", json=body).json()["access_token"]
    bearer = {"authorization": f"Bearer {token}"}
    assert httpx.get(world.url + meters(world), headers=bearer).status_code == 200
    user_id = opened.json()["userId"]
    assert len(world.get("audit", entityId=user_id, operation="LOGGED_IN")["data"]) == 2
    world.delete(f"users/{user_id}/sessions")
    assert browser.get(meters(world)).status_code == 403
    assert httpx.get(world.url + meters(world), headers=bearer).json()["code"] == "unauthenticated"
    assert log_in(world, ada)[1].status_code == 200


@pytest.mark.parametrize("cookie", ["", "x", "a=b; tallystick_session=", 'tallystick_session="\\', "=;=;"])
def test_a_cookie_that_is_none_is_nobody(world: World, cookie: str) -> None:
    answer = httpx.get(world.url + meters(world), headers={"cookie": cookie})
    assert (answer.status_code, answer.json()["code"]) == (403, "unauthenticated")


# --- forgotten passwords ------------------------------------------------------------------------


def test_a_password_is_set_once_by_a_mailed_link_and_ends_all_sessions(world: World, ada: str) -> None:
    browser, _ = log_in(world, ada)
    asked = httpx.post(f"{world.url}/password/forgotten", json={"email": ada.upper()})
    unknown = httpx.post(f"{world.url}/password/forgotten", json={"email": "nobody@nowhere.example"})
    assert (asked.status_code, asked.content) == (unknown.status_code, unknown.content) == (200, b"{}")
    sent = {"token": link_token(mail_to(world.live, ada, after=1)), "password": NEW_PASSWORD}
    short = httpx.post(f"{world.url}/password/reset", json={**sent, "password": "short"})
    assert (short.status_code, short.json()["errors"][0]["field"]) == (400, "password")
    answer = httpx.post(f"{world.url}/password/reset", json=sent)
    assert answer.status_code == 200
    bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
    assert httpx.get(world.url + meters(world), headers=bearer).status_code == 200
    replayed = httpx.post(f"{world.url}/password/reset", json=sent)
    assert (replayed.status_code, replayed.json()["code"]) == (403, "reset_not_open")
    assert browser.get(meters(world)).status_code == 403
    assert log_in(world, ada)[1].status_code == 403
    assert log_in(world, ada, NEW_PASSWORD)[1].status_code == 200


def test_a_link_is_too_old_after_an_hour_and_another_password_voids_it(world: World, ada: str) -> None:
    user = next(each for each in world.get("users")["data"] if each["email"] == ada)
    world.put(f"users/{user['id']}/password/resend")
    first = link_token(mail_to(world.live, ada, after=1))
    world.put(f"users/{user['id']}/password/resend")
    second = link_token(mail_to(world.live, ada, after=2))
    world.at("2025-06-01T00:59:59")
    done = httpx.post(f"{world.url}/password/reset", json={"token": second, "password": NEW_PASSWORD})
    assert done.status_code == 200
    voided = httpx.post(f"{world.url}/password/reset", json={"token": first, "password": NEW_PASSWORD})
    assert voided.json()["code"] == "reset_not_open"
    world.put(f"users/{user['id']}/password/resend")
    third = link_token(mail_to(world.live, ada, after=3))
    world.at("2025-06-01T02:00:00")
    old = httpx.post(f"{world.url}/password/reset", json={"token": third, "password": NEW_PASSWORD})
    assert old.json()["code"] == "reset_not_open"
    with world.live.platform.database.reading(world.org_id) as tx:
        stored = str(tx.execute(text("SELECT string_agg(r::text, ' ') FROM password_resets r")).scalar())
    assert not any(token in stored for token in (first, second, third))


# --- invitations --------------------------------------------------------------------------------

INVITED = {"firstName": "Eve", "lastName": "Moss"}


def accept(world: World, token: str, password: str = PASSWORD) -> httpx.Response:
    return httpx.post(f"{world.url}/invitations/accept", json={"token": token, "password": password})


def test_an_invitation_makes_one_user_with_its_policies_until_their_access_ends(world: World) -> None:
    email = f"eve@{world.org_id}.example"
    given = policy(world, ALL)
    more = {"email": email.upper(), "permissionPolicyIds": [given], "dtEndAccess": "2025-06-02T00:00:00Z"}
    made = world.post("invitations", {**INVITED, **more})
    assert (made["email"], made["accepted"]) == (email, False)
    assert second(made["dtExpiry"]) == "2025-07-01T00:00:00Z"
    token = link_token(mail_to(world.live, email))
    assert accept(world, token, "short").status_code == 400
    assert accept(world, token).status_code == 200
    assert accept(world, token).json()["code"] == "invitation_not_open"
    assert world.get(f"invitations/{made['id']}")["accepted"] is True
    browser, _ = log_in(world, email)
    assert browser.get(meters(world)).status_code == 200
    refused = world.post("invitations", {**INVITED, "email": email}, expect=400)
    assert refused["errors"][0]["code"] == "duplicate"
    world.at("2025-06-02")
    assert browser.get(meters(world)).status_code == 403
    assert log_in(world, email)[1].status_code == 403


def test_an_expired_or_withdrawn_invitation_is_not_taken(world: World) -> None:
    late, withdrawn = (f"{name}@{world.org_id}.example" for name in ("late", "withdrawn"))
    world.post("invitations", {**INVITED, "email": late, "dtExpiry": "2025-06-03T00:00:00Z"})
    gone = world.post("invitations", {**INVITED, "email": withdrawn})
    tokens = [link_token(mail_to(world.live, each)) for each in (late, withdrawn)]
    world.delete(f"invitations/{gone['id']}")
    world.at("2025-06-03")
    for token in (*tokens, "made up", ""):
        assert accept(world, token).json()["code"] == "invitation_not_open"
    past = {"email": "x@y.example", "dtExpiry": "2025-06-01T00:00:00Z", "dtEndAccess": "2025-06-01T00:00:00Z"}
    refused = world.post("invitations", {**INVITED, **past}, expect=400)
    assert {each["field"] for each in refused["errors"]} == {"dtExpiry", "dtEndAccess"}
    refused = world.post("invitations", {**INVITED, "email": "no address"}, expect=400)
    assert refused["errors"][0]["field"] == "email"
