"""Callers of every kind for tests of access, and the mails they get."""

import email
import email.policy
import re
import time
from collections.abc import Iterable
from email.message import EmailMessage
from typing import Any

import httpx

from tests.support.live import Live
from tests.support.world import Api, World

PASSWORD = "correct horse battery staple"
WAIT_S = 20


def statement(effect: str, action: str, *resources: str) -> dict[str, Any]:
    return {"effect": effect, "action": action.split(), "resource": list(resources)}


def allow(action: str, *resources: str) -> dict[str, Any]:
    return statement("allow", action, *resources)


def deny(action: str, *resources: str) -> dict[str, Any]:
    return statement("deny", action, *resources)


ALL = allow("ALL", "*")


def caller(world: Api, *statements: dict[str, Any], name: str = "caller") -> Api:
    """Make a service user with a key, through the API; close it after use."""
    user = world.post("serviceusers", {"name": name, "permissionPolicy": list(statements)})
    key = world.post(f"serviceusers/{user['id']}/accesskeys")
    made = Api(world.url, world.org_id, key["accessKeyId"], key["apiSecret"])
    made.service_user_id = user["id"]  # type: ignore[attr-defined]
    return made


def policy(world: Api, *statements: dict[str, Any], name: str = "policy") -> str:
    made = world.post("permissionpolicies", {"name": name, "permissionPolicy": list(statements)})
    return str(made["id"])


class Person(Api):
    """A user, with a token of their own."""

    def __init__(self, url: str, org_id: str, token: str) -> None:
        super().__init__(url, org_id, "", "")
        self.token = token
        self._auth.token = token


def join(world: World, address: str, *policies: str, **more: Any) -> Person:
    """Invite somebody and let them accept."""
    invited = {
        "firstName": "Ada",
        "lastName": "Byron",
        "email": address,
        "permissionPolicyIds": list(policies),
    }
    world.post("invitations", {**invited, **more})
    token = link_token(mail_to(world.live, address))
    answer = httpx.post(f"{world.url}/invitations/accept", json={"token": token, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return Person(world.url, world.org_id, answer.json()["access_token"])


def mails(live: Live) -> Iterable[tuple[str, EmailMessage]]:
    for file in sorted(live.platform.home.mail.glob("*.eml"), reverse=True):
        read = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        assert isinstance(read, EmailMessage)
        yield file.name, read


def mail_to(live: Live, address: str, *, after: int = 0) -> str:
    """Wait for the mail that follows so many to an address, and give its text."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        found = [mail for _, mail in mails(live) if mail["to"] == address]
        if len(found) > after:
            return str(found[0].get_content())
        time.sleep(0.02)
    raise AssertionError(f"no mail to {address}")


def link_token(text: str) -> str:
    found = re.search(r"#token=(\S+)", text)
    assert found, text
    return found[1]
