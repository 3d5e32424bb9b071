"""The pages that mailed links lead to: they work without scripts, and show a secret to nobody."""

import base64
import hashlib
import re
from html import unescape

import httpx
import pytest

from tests.support.people import ALL, PASSWORD, join, link_token, mail_to, policy
from tests.support.world import World

INVITED = {"firstName": "Eve", "lastName": "Moss"}


def send(world: World, path: str, **form: str) -> str:
    answer = httpx.post(world.url + path, data=form)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return unescape(answer.text)


@pytest.mark.parametrize("path", ["/invitation", "/password"])
def test_a_page_is_a_plain_form_of_this_server_alone(world: World, path: str) -> None:
    answer = httpx.get(world.url + path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    rules = answer.headers["content-security-policy"]
    assert "default-src 'none'" in rules
    script = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)[0]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in rules
    assert "frame-ancestors 'none'" in rules
    page = answer.text
    assert '<html lang="en">' in page
    assert "color-scheme: light dark" in page
    assert '<form method="post">' in page
    named = set(re.findall(r'<label for="(\w+)">', page))
    assert named == set(re.findall(r'<input id="(\w+)"', page)) == {"token", "password"}
    assert not re.findall(r"""(?:src|action)=|https?://""", page)


def test_an_invitation_is_accepted_by_the_form_alone(world: World) -> None:
    email = f"eve@{world.org_id}.example"
    world.post("invitations", {**INVITED, "email": email, "permissionPolicyIds": [policy(world, ALL)]})
    mail = mail_to(world.live, email)
    token = link_token(mail)
    assert f"{world.live.services.base_url}/invitation#token=" in mail
    assert f"a code, it is {token}" in mail
    short = send(world, "/invitation", token=token, password="short")
    assert "The password must have 12 to 200 characters." in short
    assert 'aria-invalid="true"' in short
    assert f'value="{token}"' in short
    assert "short" not in re.findall(r'value="([^"]*)"', short)
    done = send(world, "/invitation", token=f" {token} ", password=PASSWORD)
    assert "<h1>You are in</h1>" in done
    assert token not in done
    again = send(world, "/invitation", token=token, password=PASSWORD)
    assert "Ask for a new one." in again
    assert "<form" not in again
    logged_in = httpx.post(f"{world.url}/login", json={"email": email, "password": PASSWORD})
    assert logged_in.status_code == 200


def test_a_password_is_set_by_the_form_alone(world: World) -> None:
    email = f"ada@{world.org_id}.example"
    join(world, email).close()
    httpx.post(f"{world.url}/password/forgotten", json={"email": email})
    token = link_token(mail_to(world.live, email, after=1))
    umlauts = "schöne Grüße & <b>mehr</b> + 100%"
    assert "<h1>Your password is set</h1>" in send(world, "/password", token=token, password=umlauts)
    assert "Ask for a new one." in send(world, "/password", token=token, password=umlauts)
    logged_in = httpx.post(f"{world.url}/login", json={"email": email, "password": umlauts})
    assert logged_in.status_code == 200


@pytest.mark.parametrize("path", ["/invitation", "/password"])
@pytest.mark.parametrize("form", [{}, {"token": '"><script>alert(1)</script>', "password": PASSWORD}])
def test_what_is_made_up_gets_nothing_back(world: World, path: str, form: dict[str, str]) -> None:
    answer = httpx.post(world.url + path, data=form).text
    assert 'role="alert"' in answer
    assert "alert(1)" not in answer
    assert PASSWORD not in answer
