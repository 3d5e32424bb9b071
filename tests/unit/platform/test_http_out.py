"""Requests to customers' addresses: the public internet only, and bounded whatever comes back (§29).

Semantics §29: a webhook URL has to resolve.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tallystick.platform.addresses import Allowed, is_public
from tallystick.platform.http_out import MOST_ANSWER_BYTES, AddressRefused, Answer, HttpOut, NoAnswer
from tests.support.receiver import Receiver, answers, babbles, drips, floods, hangs, receiver

LOOPBACK = Allowed.read("127.0.0.0/8")


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def post(url: str, allowed: Allowed = LOOPBACK, timeout_s: float = 5) -> Answer:
    return asyncio.run(HttpOut(allowed, timeout_s=timeout_s).post(url, {"x-a": "b"}, b"{}"))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", "yes"),
        ("2606:4700::1111", "yes"),
        ("127.0.0.1", "no"),
        ("0.0.0.0", "no"),  # noqa: S104 - refused
        ("10.1.2.3", "no"),
        ("172.16.0.1", "no"),
        ("192.168.1.1", "no"),
        ("100.64.0.1", "no"),
        ("169.254.169.254", "no"),
        ("224.0.0.1", "no"),
        ("255.255.255.255", "no"),
        ("::", "no"),
        ("::1", "no"),
        ("fe80::1", "no"),
        ("fd00::1", "no"),
        ("ff02::1", "no"),
        ("::ffff:127.0.0.1", "no"),
        ("::ffff:169.254.169.254", "no"),
        ("::127.0.0.1", "no"),
        ("2002:7f00:1::", "no"),  # 6to4 of 127.0.0.1
        ("64:ff9b::a9fe:a9fe", "no"),  # NAT64 of 169.254.169.254
        ("::ffff:8.8.8.8", "yes"),
    ],
)
def test_which_addresses_are_public(address: str, public: str) -> None:
    assert is_public(ipaddress.ip_address(address)) is (public == "yes")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "https:///path",
        "http://user:secret@example.com/",
        "http://127.0.0.1:1/",
        "http://[::1]:1/",
        "http://[::ffff:127.0.0.1]:1/",
        "http://2130706433:1/",
        "http://127.1:1/",
        "http://0x7f.0.0.1:1/",
        "http://localhost:1/",
        "http://169.254.169.254/latest/meta-data",
        "http://no-such-host.invalid/",
        "http://example.com:99999/",
        "http://exa mple.com/",
    ],
)
def test_what_is_inside_or_no_url_is_refused_before_and_while_sending(url: str) -> None:
    with pytest.raises(AddressRefused):
        HttpOut(Allowed()).check(url)
    with pytest.raises((AddressRefused, NoAnswer)):
        post(url, Allowed())


def test_the_connection_goes_to_the_address_that_was_checked(
    server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(["8.8.8.8", "127.0.0.1"])  # a name server that changes its mind

    def resolve(_host: str, port: Any, **_: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(names), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    out = HttpOut(Allowed())
    out.check("http://rebinding.example/")
    with pytest.raises(AddressRefused):
        asyncio.run(out.post(f"http://rebinding.example:{server.server_address[1]}/", {}, b"{}"))
    assert server.requests == []


def test_one_inner_address_among_others_is_enough_to_refuse() -> None:
    with pytest.raises(AddressRefused):
        HttpOut(Allowed()).pick("example.com", ["8.8.8.8", "10.0.0.1"])


def test_names_and_networks_can_be_allowed() -> None:
    allowed = Allowed.read(" hooks.internal , 10.1.0.0/16,::1 ")
    assert allowed.lets("hooks.internal", ipaddress.ip_address("192.168.0.1"))
    assert allowed.lets("any", ipaddress.ip_address("10.1.2.3"))
    assert allowed.lets("any", ipaddress.ip_address("::ffff:10.1.2.3"))
    assert not allowed.lets("any", ipaddress.ip_address("10.2.2.3"))
    with pytest.raises(ValueError, match=r"10\.1\.0\.0/99"):
        Allowed.read("10.1.0.0/99")


def test_a_request_arrives_whole(server: Receiver) -> None:
    answer = post(server.url("/ok?a=b"))
    assert (answer.status, answer.body) == (200, "ok")
    path, headers, body = server.requests[0]
    assert (path, headers["x-a"], body) == ("/ok?a=b", "b", b"{}")
    assert headers["Host"] == f"127.0.0.1:{server.server_address[1]}"


def test_a_redirect_is_not_followed(server: Receiver) -> None:
    url = server.behave("/away", answers(302, location=server.url("/ok")))
    assert post(url).status == 302
    assert [path for path, _, _ in server.requests] == ["/away"]


@pytest.mark.parametrize("behaviour", [hangs, drips])
def test_a_slow_answer_is_cut_off(server: Receiver, behaviour: Any) -> None:
    with pytest.raises(NoAnswer):
        post(server.behave("/slow", behaviour), timeout_s=0.3)


def test_a_large_answer_is_cut_off(server: Receiver) -> None:
    assert len(post(server.behave("/flood", floods)).body) == MOST_ANSWER_BYTES


def test_what_is_no_http_is_no_answer(server: Receiver) -> None:
    with pytest.raises(NoAnswer):
        post(server.behave("/garbage", babbles))
    server.server_close()
    with pytest.raises(NoAnswer):
        post(server.url())
