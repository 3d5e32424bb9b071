"""Bearer tokens: five hours at most, and no better than what they are issued for (semantics §2)."""

import base64
import hmac
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import event, text

from tallystick.kernel.errors import InvariantBroken
from tallystick.organizations import access_key, service
from tallystick.organizations.errors import TooManyAttempts, Unauthenticated, WrongCredentials
from tallystick.organizations.permissions import ALLOW_EVERYTHING
from tallystick.organizations.principal import PrincipalKind
from tallystick.organizations.service import Bootstrapped
from tallystick.organizations.tokens import Tokens, _Bounded, signing_key
from tallystick.organizations.user import User
from tallystick.platform.database import Database
from tests.support.clock import MovableClock
from tests.unit.organizations.conftest import PASSWORD

SECRET = b"s" * 32
MANY = range(100)


@pytest.fixture
def tokens(database: Database, clock: MovableClock) -> Tokens:
    return Tokens(database, clock, SECRET)


def exchanged(tokens: Tokens, acme: Bootstrapped) -> str:
    return tokens.exchange(acme.access_key_id, acme.api_secret).access_token


def parts(token: str) -> tuple[dict[str, object], dict[str, object], str]:
    header, claims, signature = token.split(".")
    return _decoded(header), _decoded(claims), signature


def _decoded(part: str) -> dict[str, object]:
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return decoded


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


# --- exchange -----------------------------------------------------------------------------------


def test_a_key_and_its_secret_are_exchanged_for_a_token(tokens: Tokens, acme: Bootstrapped) -> None:
    answer = tokens.exchange(acme.access_key_id, acme.api_secret)
    assert (answer.token_type, answer.expires_in) == ("Bearer", 18_000)
    principal = tokens.authenticate(answer.access_token)
    assert principal.org_id == acme.org_id
    assert principal.kind is PrincipalKind.SERVICE_USER
    assert principal.name == "administrator"
    assert principal.statements == (ALLOW_EVERYTHING,)


def test_the_whole_header_is_taken_too(tokens: Tokens, acme: Bootstrapped) -> None:
    assert tokens.authenticate(f"bearer {exchanged(tokens, acme)}").org_id == acme.org_id


def test_another_process_with_the_same_secret_takes_the_token(
    tokens: Tokens, database: Database, clock: MovableClock, acme: Bootstrapped
) -> None:
    assert Tokens(database, clock, SECRET).authenticate(exchanged(tokens, acme)).org_id == acme.org_id


def test_a_token_says_neither_secret_nor_permissions(tokens: Tokens, acme: Bootstrapped) -> None:
    header, claims, _ = parts(exchanged(tokens, acme))
    assert set(header) == {"typ", "alg", "kid"}
    assert set(claims) == {"org", "sub", "iat", "exp", "key"}


def test_an_exchange_stores_nothing(tokens: Tokens, database: Database, acme: Bootstrapped) -> None:
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    for _ in range(3):
        tokens.authenticate(exchanged(tokens, acme))
    assert [statement.split()[0] for statement in asked] == ["SELECT", "SELECT", "WITH"]


@pytest.mark.parametrize(
    "key_id",
    [
        "",
        "x",
        "' OR 1=1",
        "\x00",
        "11111111-aaaa-4000-8000-000000000001",
        "11111111-aaaa-4000-8000-000000000001\n",
    ],
)
def test_an_unknown_key_is_refused(tokens: Tokens, acme: Bootstrapped, key_id: str) -> None:
    with pytest.raises(WrongCredentials):
        tokens.exchange(key_id, acme.api_secret)


@pytest.mark.parametrize("secret", ["", "wrong", "\udcff", "\x00", "ü"])
def test_a_wrong_secret_is_refused(tokens: Tokens, acme: Bootstrapped, secret: str) -> None:
    with pytest.raises(WrongCredentials):
        tokens.exchange(acme.access_key_id, secret)


def test_a_users_id_is_no_key(tokens: Tokens, database: Database, acme: Bootstrapped) -> None:
    with database.transaction(acme.org_id) as tx:
        user = tx.find(User)[0]
    with pytest.raises(WrongCredentials):
        tokens.exchange(user.id, user.password_hash or "")


def test_guessing_is_slowed_down_and_the_right_secret_still_works(tokens: Tokens, acme: Bootstrapped) -> None:
    with pytest.raises(TooManyAttempts):  # noqa: PT012 - one of these
        for _ in range(10):
            with pytest.raises(WrongCredentials):
                tokens.exchange(acme.access_key_id, "wrong", "192.0.2.1")
    assert tokens.exchange(acme.access_key_id, acme.api_secret, "192.0.2.1")


def test_guessing_many_keys_from_one_address_is_slowed_down(tokens: Tokens) -> None:
    with pytest.raises(TooManyAttempts):  # noqa: PT012 - one of these
        for i in MANY:
            with pytest.raises(WrongCredentials):
                tokens.exchange(f"key {i}", "wrong", "192.0.2.1")


# --- authenticate -------------------------------------------------------------------------------


def test_a_token_is_good_for_its_lifetime_and_no_second_longer(
    tokens: Tokens, clock: MovableClock, acme: Bootstrapped
) -> None:
    token = exchanged(tokens, acme)
    clock.forward(seconds=17_999)
    assert tokens.authenticate(token)
    clock.forward(seconds=1)
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.authenticate(token)
    with pytest.raises(Unauthenticated, match="expired"):  # and not only because it was remembered
        Tokens(tokens._database, clock, SECRET).authenticate(token)  # noqa: SLF001 - there is no other way to see it


@pytest.mark.parametrize(
    "bearer",
    [
        "",
        "   ",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "x",
        "a.b.c",
        "..",
        "Bearer ü.ü.ü",
        "x" * 5000,
        "\x00",
        "a b c",
    ],
)
def test_what_is_no_token_is_refused(tokens: Tokens, bearer: str) -> None:
    with pytest.raises(Unauthenticated, match="POST /oauth/token"):
        tokens.authenticate(bearer)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text() | st.binary().map(lambda b: f"{_encoded({'alg': 'HS256'})}.{b!r}.x"))
def test_any_text_is_refused_and_never_crashes(tokens: Tokens, bearer: str) -> None:
    with pytest.raises(Unauthenticated):
        tokens.authenticate(bearer)


def test_changed_claims_are_refused(tokens: Tokens, acme: Bootstrapped) -> None:
    header, claims, signature = parts(exchanged(tokens, acme))
    forged = f"{_encoded(header)}.{_encoded({**claims, 'sub': acme.org_id})}.{signature}"
    with pytest.raises(Unauthenticated, match="not a token of this server"):
        tokens.authenticate(forged)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS512", "RS256"])
@pytest.mark.parametrize("signature", ["", None])
def test_another_algorithm_is_refused(
    tokens: Tokens, acme: Bootstrapped, algorithm: str, signature: str | None
) -> None:
    header, claims, real = parts(exchanged(tokens, acme))
    header_part = _encoded({**header, "alg": algorithm})
    with pytest.raises(Unauthenticated):
        tokens.authenticate(f"{header_part}.{_encoded(claims)}.{real if signature is None else signature}")


def test_another_servers_token_is_refused(
    tokens: Tokens, database: Database, clock: MovableClock, acme: Bootstrapped
) -> None:
    foreign = exchanged(Tokens(database, clock, b"t" * 32), acme)
    with pytest.raises(Unauthenticated):
        tokens.authenticate(foreign)


@pytest.mark.parametrize("kid", ["other", "", None, 1])
def test_another_kid_is_refused(tokens: Tokens, acme: Bootstrapped, kid: object) -> None:
    header, claims, _ = parts(exchanged(tokens, acme))
    header = {"alg": "HS256"} if kid is None else {"alg": "HS256", "kid": kid}
    body = f"{_encoded(header)}.{_encoded(claims)}"
    signed = hmac.digest(signing_key(SECRET).raw_value, body.encode(), "sha256")
    signature = base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
    with pytest.raises(Unauthenticated, match="not a token of this server's present key"):
        tokens.authenticate(f"{body}.{signature}")


def test_signed_claims_of_another_shape_are_refused(tokens: Tokens, acme: Bootstrapped) -> None:
    header, claims, _ = parts(exchanged(tokens, acme))
    for wrong in ({**claims, "exp": "never"}, {**claims, "exp": None}, {"sub": "x"}):
        token = jwt.encode({"alg": "HS256", "kid": str(header["kid"])}, wrong, signing_key(SECRET))
        with pytest.raises(Unauthenticated):
            tokens.authenticate(token)


def test_a_revoked_key_and_its_tokens_stop_within_seconds(
    tokens: Tokens, database: Database, clock: MovableClock, acme: Bootstrapped
) -> None:
    token = exchanged(tokens, acme)
    assert tokens.authenticate(token)
    with database.transaction(acme.org_id) as tx:
        service.revoke_access_key(tx, acme.access_key_id)
    clock.forward(seconds=5)
    with pytest.raises(Unauthenticated, match="revoked"):
        tokens.authenticate(token)
    with pytest.raises(WrongCredentials):
        tokens.exchange(acme.access_key_id, acme.api_secret)


def test_another_key_of_the_service_user_goes_on(
    tokens: Tokens, database: Database, clock: MovableClock, acme: Bootstrapped
) -> None:
    principal = tokens.authenticate(exchanged(tokens, acme))
    with database.transaction(acme.org_id) as tx:
        second = service.create_access_key(tx, principal.id)
        service.revoke_access_key(tx, acme.access_key_id)
    clock.forward(seconds=5)
    token = tokens.exchange(second.access_key_id, second.api_secret).access_token
    assert tokens.authenticate(token) == principal


def test_a_users_token_ends_with_the_access(
    tokens: Tokens, database: Database, clock: MovableClock, acme: Bootstrapped
) -> None:
    throttle = tokens._throttle  # noqa: SLF001 - there is no other way to see it
    ada = service.log_in(database, throttle, email=acme.admin_email, password=PASSWORD, address="192.0.2.1")
    token = tokens.issue(ada).access_token
    assert tokens.authenticate(token) == ada
    with database.transaction(acme.org_id) as tx:
        tx.execute(text("UPDATE users SET dt_end_access = :now"), {"now": clock.now()})
    clock.forward(seconds=5)
    with pytest.raises(Unauthenticated, match="ended"):
        tokens.authenticate(token)


def test_a_service_user_cannot_skip_the_exchange(tokens: Tokens, acme: Bootstrapped) -> None:
    with pytest.raises(InvariantBroken):
        tokens.issue(tokens.authenticate(exchanged(tokens, acme)))


def test_a_short_signing_secret_is_a_bug(database: Database, clock: MovableClock) -> None:
    with pytest.raises(InvariantBroken):
        Tokens(database, clock, b"s" * 31)


def test_caches_drop_their_oldest() -> None:
    cache: _Bounded[int, int] = _Bounded(3)
    for i in (1, 2, 3, 1, 4):
        cache.put(i, i)
    assert [cache.get(i) for i in (1, 2, 3, 4)] == [1, None, 3, 4]


def test_what_else_the_secret_signs_is_no_token(tokens: Tokens, acme: Bootstrapped) -> None:
    header, claims, _ = parts(exchanged(tokens, acme))
    signed = jwt.encode({"alg": "HS256", "kid": str(header["kid"])}, claims, OctKey.import_key(SECRET))
    with pytest.raises(Unauthenticated):
        tokens.authenticate(signed)


@pytest.mark.parametrize(
    "header",
    [
        [],
        1,
        None,
        {},
        {"alg": None},
        {"alg": 1},
        {"alg": ["HS256"]},
        {"alg": {}},
        {"alg": "HS256", "kid": 1},
        {"alg": "HS256", "kid": {}},
        {"alg": "HS256", "crit": ["b64"], "b64": False},
        {"alg": "HS256", "crit": 1},
        {"alg": "HS256", "b64": False},
        {"alg": "HS256", "typ": 1},
        {"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}},
        {"alg": "dir", "enc": "A256GCM"},
    ],
)
def test_a_header_that_is_none_is_refused(tokens: Tokens, acme: Bootstrapped, header: object) -> None:
    body = exchanged(tokens, acme).partition(".")[2]
    for forged in (f"{_encoded(header)}.{body}", f"{_encoded(header)}.a.b.c.{body}", f"{_encoded(header)}.."):
        with pytest.raises(Unauthenticated):
            tokens.authenticate(forged)


@pytest.mark.parametrize("payload", [[], 1, None, "x", {"exp": 10**400}])
def test_signed_payloads_that_are_no_claims_are_refused(tokens: Tokens, payload: object) -> None:
    head = _encoded({"alg": "HS256", "kid": signing_key(SECRET).thumbprint()[:16]})
    signed = hmac.digest(signing_key(SECRET).raw_value, f"{head}.{_encoded(payload)}".encode(), "sha256")
    signature = base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
    with pytest.raises(Unauthenticated):
        tokens.authenticate(f"{head}.{_encoded(payload)}.{signature}")


def test_no_secret_is_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(["-option", "-", "s-cret"])
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: next(made))
    assert access_key.new_secret() == "s-cret"
