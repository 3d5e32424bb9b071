"""Single sign-on against a real issuer on loopback: who is let in, and who is kept out (semantics §2)."""

import hmac
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from tallystick.organizations.oidc import Provider
from tallystick.platform.addresses import ANYWHERE, Allowed
from tallystick.platform.fetch import Fetch
from tests.support.issuer import CLIENT, SECRET, Issuer, running_issuer
from tests.support.live import Live
from tests.support.people import ALL, allow, caller, join, policy
from tests.support.world import World


@pytest.fixture
def issuer(live: Live) -> Iterator[Issuer]:
    """Run an issuer that this server may call, although it is inside."""
    sign_ons = live.services.sign_ons
    with running_issuer() as running:
        object.__setattr__(sign_ons, "fetch", Fetch(ANYWHERE))
        yield running
        object.__setattr__(sign_ons, "fetch", Fetch(Allowed()))
        object.__setattr__(sign_ons, "own", None)


@pytest.fixture
def settings(world: World, issuer: Issuer) -> dict[str, Any]:
    """Let the organization's people come by the issuer."""
    issuer.now = int(world.live.clock.now().timestamp())
    given = policy(world, ALL, name="by domain")
    body = {
        "issuer": issuer.url,
        "clientId": CLIENT,
        "clientSecret": SECRET,
        "allowedDomains": [f"{world.org_id}.example"],
        "permissionPolicyIds": [given],
    }
    answered: dict[str, Any] = world.put("singlesignon", body)
    return answered


def begin(world: World, *, org: bool = True, **params: str) -> tuple[httpx.Client, str]:
    browser = httpx.Client(base_url=world.url)
    query = {**({"orgId": world.org_id} if org else {}), **params}
    answer = browser.get("/sso/start", params=query)
    assert answer.status_code == 302, answer.text
    assert all(part in answer.headers["set-cookie"] for part in ("HttpOnly", "SameSite=Lax", "Path=/sso"))
    return browser, answer.headers["location"]


def come_back(browser: httpx.Client, code: str, state: str) -> httpx.Response:
    return browser.get("/sso/callback", params={"code": code, "state": state})


def sign_on(
    world: World, issuer: Issuer, *, org: bool = True, **who: Any
) -> tuple[httpx.Client, httpx.Response]:
    browser, address = begin(world, org=org, returnTo="/bills")
    return browser, come_back(browser, *issuer.allow(address, **who))


def refusal(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.json()["code"]) == (403, "sign_on_refused"), answer.text
    assert "tallystick_session" not in answer.headers.get("set-cookie", "")
    return str(answer.json()["message"])


def test_a_person_of_an_allowed_domain_becomes_a_user_once(
    world: World, issuer: Issuer, settings: dict[str, Any]
) -> None:
    assert "clientSecret" not in settings
    email = f"Grace@{world.org_id}.example"
    browser, answer = sign_on(world, issuer, email=email, given_name="Grace", family_name="Hopper")
    assert (answer.status_code, answer.headers["location"]) == (302, "/bills")
    assert browser.get(f"/organizations/{world.org_id}/meters").status_code == 200
    sign_on(world, issuer, email=email)
    users = [each for each in world.get("users")["data"] if each["email"] == email.lower()]
    assert [(each["firstName"], each["lastName"]) for each in users] == [("Grace", "Hopper")]
    entry = world.get("audit", operation="LOGGED_IN")["data"][0]
    assert entry["changes"]["by"] == "single sign-on"


def test_others_need_an_invitation(world: World, issuer: Issuer, settings: dict[str, Any]) -> None:
    stranger = "ada@elsewhere.example"
    _, answer = sign_on(world, issuer, email=stranger)
    assert "invitation" in refusal(answer)
    invited = {"firstName": "Ada", "lastName": "Byron", "email": stranger}
    world.post("invitations", {**invited, "permissionPolicyIds": settings["permissionPolicyIds"]})
    browser, answer = sign_on(world, issuer, email=stranger, sub="ada")
    assert answer.status_code == 302
    assert browser.get(f"/organizations/{world.org_id}/meters").status_code == 200
    _, answer = sign_on(world, issuer, email=stranger, sub="somebody else of the same address")
    assert "Somebody else" in refusal(answer)
    _, answer = sign_on(world, issuer, email="ada@new.example", sub="ada")  # moved, and still the same
    assert answer.status_code == 302


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": "another client"}, "audience"),
        ({"aud": [CLIENT, "another"]}, "authorized party"),
        ({"azp": "another"}, "authorized party"),
        ({"nonce": "replayed"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"exp": 1}, "expiry"),
        ({"exp": None}, "expiry"),
        ({"iat": 9_999_999_999}, "time of issue"),
        ({"sub": None}, "subject"),
        ({"sub": ""}, "subject"),
        ({"email_verified": False}, "verified e-mail"),
        ({"email_verified": "true"}, "verified e-mail"),
        ({"email": None}, "verified e-mail"),
    ],
)
@pytest.mark.usefixtures("settings")
def test_what_the_token_says_has_to_hold(
    world: World, issuer: Issuer, claims: dict[str, Any], told: str
) -> None:
    issuer.claims = claims
    _, answer = sign_on(world, issuer, email=f"eve@{world.org_id}.example")
    assert told in refusal(answer)


@pytest.mark.usefixtures("settings")
def test_only_the_issuers_public_keys_vouch(world: World, issuer: Issuer) -> None:
    email = f"eve@{world.org_id}.example"
    published = issuer.keys[0]
    forged = RSAKey.generate_key(2048, {"kid": "first"})
    for key, algorithm in ((forged, "RS256"), (OctKey.import_key(SECRET), "HS256")):
        issuer.signs_with, issuer.algorithm = key, algorithm
        _, answer = sign_on(world, issuer, email=email)
        assert "signed" in refusal(answer)
    issuer.signs_with, issuer.algorithm = published, "RS256"
    public = published.as_pem(private=False)  # type: ignore[union-attr] # an RSA key
    for sign in (lambda content: hmac.digest(public, content, "sha256"), lambda _: b""):
        issuer.signs_by_hand = sign  # with the public key as a secret, and not at all
        _, answer = sign_on(world, issuer, email=email)
        assert "signed" in refusal(answer)


@pytest.mark.usefixtures("settings")
def test_keys_may_turn_over(world: World, issuer: Issuer) -> None:
    email = f"grace@{world.org_id}.example"
    assert sign_on(world, issuer, email=email)[1].status_code == 302
    issuer.keys = [ECKey.generate_key("P-256", {"kid": "second", "use": "sig"})]
    issuer.signs_with, issuer.algorithm = issuer.keys[0], "ES256"
    _, answer = sign_on(world, issuer, email=email)
    assert "signed" in refusal(answer)  # asked a moment ago: nobody makes us ask again and again
    world.at("2025-06-01T00:01:01")
    assert sign_on(world, issuer, email=email)[1].status_code == 302
    assert issuer.asked.count("/keys") == 2


@pytest.mark.usefixtures("settings")
def test_the_way_back_belongs_to_the_browser_that_left(world: World, issuer: Issuer) -> None:
    email = f"grace@{world.org_id}.example"
    browser, address = begin(world)
    code, state = issuer.allow(address, email=email)
    other, _ = begin(world)
    refusal(come_back(other, code, state))  # somebody else's link
    refusal(come_back(httpx.Client(base_url=world.url), code, state))  # no cookie at all
    refusal(come_back(browser, code, ""))
    refusal(browser.get("/sso/callback", params={"error": "access_denied", "state": state}))
    refusal(come_back(browser, "made up", state))
    assert come_back(browser, code, state).status_code == 302
    refusal(come_back(browser, code, state))  # a code works once
    late, address = begin(world)
    world.at("2025-06-01T00:10:00")
    refusal(come_back(late, *issuer.allow(address, email=email)))


@pytest.mark.parametrize(
    "page", ["https://evil.example", "//evil.example", "/\\evil.example", "/\r\nx: y", ""]
)
@pytest.mark.usefixtures("settings")
def test_nobody_is_sent_on_to_another_site(world: World, issuer: Issuer, page: str) -> None:
    browser, address = begin(world, returnTo=page)
    answer = come_back(browser, *issuer.allow(address, email=f"g@{world.org_id}.example"))
    assert (answer.status_code, answer.headers["location"]) == (302, "/")


@pytest.mark.usefixtures("settings")
def test_an_ended_user_is_not_let_in_and_nobody_by_a_disabled_issuer(world: World, issuer: Issuer) -> None:
    join(world, f"bob@{world.org_id}.example", dtEndAccess="2025-06-01T00:05:00Z").close()
    world.at("2025-06-01T00:05:00")
    _, answer = sign_on(world, issuer, email=f"bob@{world.org_id}.example")
    refusal(answer)
    body = {"issuer": issuer.url, "clientId": CLIENT, "enabled": False, "version": 1}
    world.put("singlesignon", body)
    answer = httpx.get(f"{world.url}/sso/start", params={"orgId": world.org_id})
    assert "not set up" in refusal(answer)
    world.delete("singlesignon")
    world.get("singlesignon", expect=404)


def test_who_names_the_issuer_must_hold_everything(world: World, issuer: Issuer) -> None:
    body = {"issuer": issuer.url, "clientId": CLIENT}
    limited = caller(world, allow("config:update config:create", "config:singlesignon/*"))
    assert limited.put("singlesignon", body, expect=403)["code"] == "more_than_you_have"
    limited.close()
    wrong_issuers = ({"issuer": f"http://{host}"} for host in ("issuer.example", "localhost.issuer.example"))
    for wrong in (*wrong_issuers, {"allowedDomains": ["@x"]}):
        world.put("singlesignon", {**body, **wrong}, expect=400)


@pytest.mark.usefixtures("settings")
def test_an_issuer_inside_the_network_is_not_asked(world: World, issuer: Issuer) -> None:
    object.__setattr__(world.live.services.sign_ons, "fetch", Fetch(Allowed()))
    answer = httpx.get(f"{world.url}/sso/start", params={"orgId": world.org_id})
    assert (answer.status_code, answer.json()["code"]) == (503, "fetch_failed")
    assert issuer.asked == []


@pytest.mark.usefixtures("settings")
def test_an_issuer_that_is_another_or_broken_is_told(world: World, issuer: Issuer) -> None:
    broken: list[dict[str, Any]] = [
        {"issuer": "https://other.example"},
        {"jwks_uri": f"{issuer.url}/none"},
        {"token_endpoint": 7},
    ]
    for metadata in broken:
        issuer.metadata = metadata
        answer = httpx.get(f"{world.url}/sso/start", params={"orgId": world.org_id})
        assert (answer.status_code, answer.json()["code"]) == (503, "fetch_failed")


def test_the_installations_issuer_lets_in_users_and_those_invited(world: World, issuer: Issuer) -> None:
    issuer.now = int(world.live.clock.now().timestamp())
    own = Provider(issuer.url, CLIENT, SECRET, Fetch(ANYWHERE))
    object.__setattr__(world.live.services.sign_ons, "own", own)
    invited = {"firstName": "Ada", "lastName": "Byron", "email": f"ada@{world.org_id}.example"}
    world.post("invitations", invited)
    browser, answer = sign_on(world, issuer, org=False, email=invited["email"], sub="ada of all")
    assert answer.status_code == 302
    assert browser.get("/session").json()["orgId"] == world.org_id
    _, answer = sign_on(world, issuer, org=False, email="nobody@nowhere.example", sub="nobody")
    refusal(answer)
    query = parse_qs(urlsplit(begin(world, org=False)[1]).query)
    assert query["tenant"] == ["1"]
