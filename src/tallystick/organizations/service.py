"""Make organizations and those who work in them, and let people in."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
from sqlalchemy import select, update

from tallystick.kernel.clock import Clock
from tallystick.kernel.problems import Problem
from tallystick.organizations import store
from tallystick.organizations.access_key import AccessKey, hash_secret, new_secret
from tallystick.organizations.currency import DEFAULT_CURRENCY, Currency
from tallystick.organizations.custom_field import CustomField
from tallystick.organizations.errors import WrongCredentials
from tallystick.organizations.organization import Organization
from tallystick.organizations.organization_config import default_config
from tallystick.organizations.passwords import (
    hash_password,
    is_outdated,
    is_password,
    new_password,
    password_problems,
)
from tallystick.organizations.permission_policy import managed_policies
from tallystick.organizations.permissions import ALLOW_EVERYTHING, Statement
from tallystick.organizations.principal import Principal
from tallystick.organizations.service_user import ServiceUser
from tallystick.organizations.throttle import Throttle
from tallystick.organizations.user import EMAIL, User, plain_email
from tallystick.platform.database import EVERY_ORGANIZATION, Database
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.transaction import ResourceNotFound, from_request
from tallystick.platform.resources.wire import InvalidBody, read

ADMINISTRATOR = "administrator"
LONGEST_NAME = 200


class Bootstrapped(msgspec.Struct, frozen=True, rename="camel"):
    """A new organization and how to get into it. The secrets are shown here and never again.

    admin_password: None where the caller chose it.
    """

    org_id: str
    organization: str
    admin_email: str
    admin_password: str | None
    access_key_id: str
    api_secret: str


class NewAccessKey(msgspec.Struct, frozen=True, rename="camel"):
    """An access key and its secret, which is shown here and never again."""

    access_key_id: str
    api_secret: str
    service_user_id: str


def bootstrap(
    database: Database, clock: Clock, *, organization: str, admin_email: str, admin_password: str | None
) -> Bootstrapped:
    """Make an organization, its defaults, its administrator and an access key, all or nothing.

    admin_password: None makes one up. Raises InvalidBody with every problem.
    Rule: semantics §3 — the defaults, and USD as the currency every organization starts with.
    """
    name, email, password = organization.strip(), plain_email(admin_email), admin_password or new_password()
    if problems := [*_bootstrap_problems(name, email, password)]:
        raise InvalidBody(problems)
    password_hash = hash_password(password)  # slow: not while the transaction is open
    org_id = new_id()
    with database.transaction(org_id) as opened:
        tx = replace(opened, clock=clock)
        tx.create(Organization(id=org_id, name=name))
        tx.create(Currency(code=DEFAULT_CURRENCY, name="US dollar"))
        tx.create(default_config())
        tx.create(CustomField())
        tx.create_all(managed_policies(org_id))
        tx.create(User(email=email, permission_policy=[ALLOW_EVERYTHING], password_hash=password_hash))
        service_user = create_service_user(tx, name=ADMINISTRATOR, statements=[ALLOW_EVERYTHING])
        made = create_access_key(tx, service_user.id)
    return Bootstrapped(
        org_id=org_id,
        organization=name,
        admin_email=email,
        admin_password=None if admin_password else password,
        access_key_id=made.access_key_id,
        api_secret=made.api_secret,
    )


def create_service_user(tx: Transaction, *, name: str, statements: Sequence[Statement]) -> ServiceUser:
    """Make a service user that may do what the statements allow. Raises InvalidBody."""
    raw = {"name": name, "permissionPolicy": msgspec.to_builtins(statements)}
    return tx.create(from_request(ServiceUser, read(raw, resource_of(ServiceUser).request_type)))


def create_access_key(tx: Transaction, service_user_id: str) -> NewAccessKey:
    """Make an access key for a service user. Raises ResourceNotFound."""
    service_user = tx.get(ServiceUser, service_user_id)
    secret = new_secret()
    key = tx.create(AccessKey(service_user_id=service_user.id, secret_hash=hash_secret(secret)))
    return NewAccessKey(key.id, secret, service_user.id)


def revoke_access_key(tx: Transaction, key_id: str) -> AccessKey:
    """Revoke a key: within seconds neither it nor tokens issued for it are taken. Raises ResourceNotFound.

    Revoking a revoked key changes nothing.
    """
    key = tx.get(AccessKey, key_id, lock=True)
    if key.revoked_at is not None:
        return key
    return tx.update(key, msgspec.structs.replace(key, revoked_at=tx.clock.now()))


def revoke_key_of(tx: Transaction, service_user_id: str, key_id: str) -> AccessKey:
    """Revoke a key that has to be the service user's. Raises ResourceNotFound."""
    if tx.get(AccessKey, key_id).service_user_id != tx.get(ServiceUser, service_user_id).id:
        raise ResourceNotFound(f"This service user has no access key {key_id!r}.")
    return revoke_access_key(tx, key_id)


def set_support_user(tx: Transaction, user_id: str, *, is_support: bool) -> User:
    """Make a user the operator's support, let in where organizations grant it. Raises ResourceNotFound."""
    user = tx.get(User, user_id, lock=True)
    if user.support_user == is_support:
        return user
    return tx.update(user, msgspec.structs.replace(user, support_user=is_support))


def log_in(
    database: Database,
    throttle: Throttle,
    *,
    email: str,
    password: str,
    address: str,
    org_id: str | None = None,
) -> Principal:
    """Let a person in by e-mail address and password.

    address: where from, for the throttle. org_id: which organization, for a person with the same password
    in several; None: the first one they joined. Raises WrongCredentials, TooManyAttempts.
    An unknown e-mail address takes as long as a wrong password.
    """
    name = plain_email(email)
    throttle.attempt(name, address)
    candidates = _candidates(database, name, org_id)
    if not candidates:
        is_password(password, None)  # takes its time
    for holder in candidates:
        if is_password(password, holder.proof_hash):
            throttle.succeeded(name, address)
            _rehash(database, holder, password)
            return holder.principal
    raise WrongCredentials("This e-mail address and password are not valid together.")


def _candidates(database: Database, email: str, org_id: str | None) -> list[store.Holder]:
    """Find whom the e-mail address may mean: users who have a password and whose access has not ended."""
    if not EMAIL.fullmatch(email):
        return []
    with database.transaction(EVERY_ORGANIZATION) as tx:
        holders = store.users_of_email(tx, email)
    now = database.clock.now()
    return [
        holder
        for holder in holders
        if holder.proof_hash and holder.may_come_in(now) and org_id in (None, holder.principal.org_id)
    ]


def _rehash(database: Database, holder: store.Holder, password: str) -> None:
    """Replace a hash of weaker parameters than today's, unless the password was changed meanwhile."""
    user, old_hash = holder.principal, holder.proof_hash or ""
    if not is_outdated(old_hash):
        return
    table = resource_of(User).table
    new_hash = hash_password(password)
    unchanged = (table.c.org_id == user.org_id, table.c.id == user.id, table.c.password_hash == old_hash)
    with database.transaction(user.org_id, user.id) as tx:
        tx.execute(update(table).where(*unchanged).values(password_hash=new_hash))


def _bootstrap_problems(name: str, email: str, password: str) -> Iterator[Problem]:
    """Name the problems as the caller named the values."""
    if not 1 <= len(name) <= LONGEST_NAME:
        yield Problem("organization", "wrong_length", f"must have 1 to {LONGEST_NAME} characters")
    for problem in User(email=email).check():
        yield Problem("adminEmail", problem.code, problem.message)
    yield from password_problems("adminPassword", password)


def all_organizations(database: Database) -> list[str]:
    """Give the ids of all organizations, oldest first."""
    with database.reading(EVERY_ORGANIZATION) as tx:
        organizations = resource_of(Organization).table.c
        return list(tx.execute(select(organizations.id).order_by(organizations.id)).scalars())
