"""Organizations, who works in them, and log-ins (semantics §2, §3)."""

import logging
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from tallystick.events.record import events
from tallystick.organizations import service
from tallystick.organizations.access_key import AccessKey, hash_secret
from tallystick.organizations.currency import Currency
from tallystick.organizations.custom_field import CustomField
from tallystick.organizations.errors import TooManyAttempts, WrongCredentials
from tallystick.organizations.organization import Organization
from tallystick.organizations.organization_config import OrganizationConfig, default_config
from tallystick.organizations.permissions import ALLOW_EVERYTHING, Action, Effect, Statement, allows
from tallystick.organizations.service import Bootstrapped
from tallystick.organizations.service_user import ServiceUser
from tallystick.organizations.throttle import Throttle
from tallystick.organizations.user import User
from tallystick.platform.database import Database
from tallystick.platform.ids import new_id
from tallystick.platform.resources.transaction import NotDeletable, ResourceNotFound
from tallystick.platform.resources.wire import InvalidBody, encode
from tests.support.clock import MovableClock
from tests.unit.organizations.conftest import PASSWORD

ADDRESS = "192.0.2.1"


@pytest.fixture
def throttle(clock: MovableClock) -> Throttle:
    return Throttle(clock)


# --- bootstrap ----------------------------------------------------------------------------------


def test_bootstrap_makes_everything_an_organization_starts_with(
    database: Database, acme: Bootstrapped
) -> None:
    with database.transaction(acme.org_id) as tx:
        assert [(o.id, o.name) for o in tx.find(Organization)] == [(acme.org_id, "Acme")]
        assert [(c.code, c.max_decimal_places) for c in tx.find(Currency)] == [("USD", 2)]
        config = tx.find(OrganizationConfig)[0]
        assert (config.currency, config.timezone) == (default_config().currency, "UTC")
        assert len(tx.find(CustomField)) == 1
        user, service_user, key = tx.find(User)[0], tx.find(ServiceUser)[0], tx.find(AccessKey)[0]
    assert user.email == acme.admin_email
    assert service_user.name == "administrator"
    for holder in (user, service_user):
        assert allows(holder.permission_policy, "config:delete", "config:meter/item/*")
    assert (key.id, key.service_user_id) == (acme.access_key_id, service_user.id)
    assert acme.admin_password is None


def test_bootstrap_makes_up_a_password(database: Database, clock: MovableClock, throttle: Throttle) -> None:
    made = service.bootstrap(
        database, clock, organization=" B ", admin_email=f" Bob-{new_id()}@B.test ", admin_password=None
    )
    assert made.organization == "B"
    assert made.admin_email == made.admin_email.strip().lower()
    assert made.admin_password
    bob = service.log_in(
        database, throttle, email=made.admin_email.upper(), password=made.admin_password, address=ADDRESS
    )
    assert bob.org_id == made.org_id


def test_bootstrap_names_every_problem_and_stores_nothing(database: Database, clock: MovableClock) -> None:
    before = _organizations(database)
    with pytest.raises(InvalidBody) as refused:
        service.bootstrap(database, clock, organization=" ", admin_email="nobody", admin_password="short")
    assert [(p.field, p.code) for p in refused.value.problems] == [
        ("organization", "wrong_length"),
        ("adminEmail", "wrong_format"),
        ("adminPassword", "wrong_length"),
    ]
    assert _organizations(database) == before


def test_bootstrap_is_all_or_nothing(
    database: Database, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _organizations(database)
    monkeypatch.setattr(service, "create_access_key", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        service.bootstrap(database, clock, organization="C", admin_email="c@c.test", admin_password=PASSWORD)
    assert _organizations(database) == before


def _organizations(database: Database) -> int:
    with database.transaction("*") as tx:
        return int(tx.execute(text("SELECT count(*) FROM organizations")).scalar_one())


# --- secrets stay inside ------------------------------------------------------------------------


def test_no_secret_and_no_hash_is_in_an_event_an_answer_or_the_log(
    database: Database, acme: Bootstrapped, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), database.transaction(acme.org_id) as tx:
        key = service.revoke_access_key(tx, acme.access_key_id)
        user = tx.find(User)[0]
        stored = msgspec.json.encode([dict(row) for row in tx.execute(events.select()).mappings()]).decode()
    assert "configuration.user.created" in stored
    assert "configuration.accesskey.updated" in stored
    answers = encode(key).decode() + encode(user).decode() + caplog.text
    hashes = (hash_secret(acme.api_secret), user.password_hash or "")
    assert [s for s in (acme.api_secret, PASSWORD, *hashes, "Hash") if s in stored + answers] == []


def test_a_secret_is_stored_only_as_its_hash(database: Database, acme: Bootstrapped) -> None:
    with database.transaction(acme.org_id) as tx:
        key, user = tx.find(AccessKey)[0], tx.find(User)[0]
    assert key.secret_hash == hash_secret(acme.api_secret)
    assert (user.password_hash or "").startswith("$argon2id$")


# --- service users and keys ---------------------------------------------------------------------


def test_a_service_user_has_the_statements_it_was_given(database: Database, acme: Bootstrapped) -> None:
    reading = Statement(effect=Effect.ALLOW, action=[Action.CONFIG_RETRIEVE], resource=["config:meter/*"])
    with database.transaction(acme.org_id) as tx:
        made = service.create_service_user(tx, name="reader", statements=[reading])
        assert tx.get(ServiceUser, made.id).permission_policy == [reading]


@pytest.mark.parametrize(
    ("name", "resource", "field"),
    [("", "*", "name"), ("x" * 201, "*", "name"), ("x", "meter", "permissionPolicy[0].resource[0]")],
)
def test_a_service_user_without_sense_is_refused(
    database: Database, acme: Bootstrapped, name: str, resource: str, field: str
) -> None:
    statement = Statement(effect=Effect.ALLOW, action=[Action.ALL], resource=[resource])
    with database.transaction(acme.org_id) as tx, pytest.raises(InvalidBody) as refused:
        service.create_service_user(tx, name=name, statements=[statement])
    assert [p.field for p in refused.value.problems] == [field]


def test_keys_belong_to_the_organization(database: Database, clock: MovableClock, acme: Bootstrapped) -> None:
    other = service.bootstrap(
        database, clock, organization="Other", admin_email="o@o.test", admin_password=PASSWORD
    )
    with database.transaction(acme.org_id) as tx:
        service_user = tx.find(ServiceUser)[0]
    with database.transaction(other.org_id) as tx:
        with pytest.raises(ResourceNotFound):
            service.create_access_key(tx, service_user.id)
        with pytest.raises(ResourceNotFound):
            service.revoke_access_key(tx, acme.access_key_id)


def test_revoking_twice_changes_nothing(database: Database, clock: MovableClock, acme: Bootstrapped) -> None:
    with database.transaction(acme.org_id) as tx:
        first = service.revoke_access_key(tx, acme.access_key_id)
    clock.forward(hours=1)
    with database.transaction(acme.org_id) as tx:
        assert service.revoke_access_key(tx, acme.access_key_id) == first
    assert first.revoked_at is not None


# --- log-in -------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", "\x00", "\udcff"])
def test_a_wrong_password_is_refused(
    database: Database, throttle: Throttle, acme: Bootstrapped, password: str
) -> None:
    with pytest.raises(WrongCredentials):
        service.log_in(database, throttle, email=acme.admin_email, password=password, address=ADDRESS)


@pytest.mark.parametrize("email", ["nobody@acme.test", "", "x", "a@b\x00", "' OR 1=1 --@x"])
def test_an_unknown_email_is_refused_alike(
    database: Database, throttle: Throttle, acme: Bootstrapped, email: str
) -> None:
    with pytest.raises(WrongCredentials) as unknown:
        service.log_in(database, throttle, email=email, password=PASSWORD, address=ADDRESS)
    with pytest.raises(WrongCredentials) as wrong:
        service.log_in(database, throttle, email=acme.admin_email, password="wrong", address=ADDRESS)
    assert unknown.value.message == wrong.value.message


def test_an_unknown_email_costs_a_hash_too(
    database: Database, throttle: Throttle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(service, "is_password", lambda _, hashed: asked.append(hashed))
    with pytest.raises(WrongCredentials):
        service.log_in(database, throttle, email="nobody@x.test", password=PASSWORD, address=ADDRESS)
    assert asked == [None]


def test_even_the_right_password_waits_after_too_many_wrong_ones(
    database: Database, clock: MovableClock, throttle: Throttle, acme: Bootstrapped
) -> None:
    def log_in(password: str) -> None:
        service.log_in(database, throttle, email=acme.admin_email, password=password, address=ADDRESS)

    for _ in range(5):
        with pytest.raises(WrongCredentials):
            log_in("wrong")
    with pytest.raises(TooManyAttempts):
        log_in(PASSWORD)
    clock.forward(seconds=1)
    log_in(PASSWORD)


def test_a_burst_of_guesses_gets_no_more_than_its_share(
    database: Database, throttle: Throttle, acme: Bootstrapped
) -> None:
    def guess(_: int) -> str:
        try:
            service.log_in(database, throttle, email=acme.admin_email, password="wrong", address="")
        except (WrongCredentials, TooManyAttempts) as refused:
            return refused.code
        return "in"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(16)))
    assert sorted(set(answers)) == ["too_many_attempts", "wrong_credentials"]
    assert answers.count("wrong_credentials") == 5


def test_ended_access_is_refused(
    database: Database, clock: MovableClock, throttle: Throttle, acme: Bootstrapped
) -> None:
    with database.transaction(acme.org_id) as tx:
        tx.execute(text("UPDATE users SET dt_end_access = :now"), {"now": clock.now()})
    with pytest.raises(WrongCredentials):
        service.log_in(database, throttle, email=acme.admin_email, password=PASSWORD, address=ADDRESS)


def test_a_person_of_two_organizations_chooses_one(
    database: Database, clock: MovableClock, throttle: Throttle, acme: Bootstrapped
) -> None:
    second = service.bootstrap(
        database, clock, organization="2", admin_email=acme.admin_email, admin_password=PASSWORD
    )
    for org_id, into in ((None, acme.org_id), (second.org_id, second.org_id), (acme.org_id, acme.org_id)):
        principal = service.log_in(
            database, throttle, email=acme.admin_email, password=PASSWORD, address=ADDRESS, org_id=org_id
        )
        assert principal.org_id == into


def test_an_old_hash_is_replaced_at_log_in(
    database: Database, throttle: Throttle, acme: Bootstrapped
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024).hash(PASSWORD)
    with database.transaction(acme.org_id) as tx:
        tx.execute(text("UPDATE users SET password_hash = :weak"), {"weak": weak})
    for _ in range(2):
        service.log_in(database, throttle, email=acme.admin_email, password=PASSWORD, address=ADDRESS)
    with database.transaction(acme.org_id) as tx:
        assert "m=19456,t=2,p=1" in (tx.find(User)[0].password_hash or "")


# --- users --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "email", ["", "a", "a@", "@b", "a b@c", "A@b.test", " a@b.test", "a@b\x00", "a" * 250 + "@b.de"]
)
def test_an_email_address_is_one(email: str) -> None:
    assert [p.field for p in User(email=email, permission_policy=[ALLOW_EVERYTHING]).check()] == ["email"]


def test_an_email_address_is_used_once_in_an_organization(database: Database, acme: Bootstrapped) -> None:
    with database.transaction(acme.org_id) as tx, pytest.raises(InvalidBody, match="already used"):
        tx.create(User(email=acme.admin_email))


# --- currencies that stay -----------------------------------------------------------------------


def test_the_default_and_the_billing_currency_cannot_be_deleted(
    database: Database, acme: Bootstrapped
) -> None:
    with database.transaction(acme.org_id) as tx:
        usd = tx.find(Currency)[0]
        eur, gbp = (tx.create(Currency(code=code, name=code)) for code in ("EUR", "GBP"))
        config = tx.find(OrganizationConfig)[0]
        tx.update(config, msgspec.structs.replace(config, currency="EUR"))
        for kept, why in ((usd, "default_currency"), (eur, "billing_currency")):
            with pytest.raises(NotDeletable, match=f"cannot be deleted: {kept.code}") as refused:
                tx.delete(Currency, kept.id)
            assert [p.code for p in refused.value.problems] == [why]
        assert tx.delete(Currency, gbp.id) == gbp
        assert {c.code for c in tx.find(Currency)} == {"USD", "EUR"}
