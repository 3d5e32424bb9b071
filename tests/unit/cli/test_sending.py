"""Sending through a server that is only a function: what arrives, what is repeated, what is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tallystick.cli.client import Client, Refused
from tallystick.cli.errors import CommandError
from tallystick.cli.profile import Connection
from tallystick.cli.sending.files import Source, look_at
from tallystick.cli.sending.mapping import Columns
from tallystick.cli.sending.run import Sending, Sent, send_file

CONNECTION = Connection(url="http://server", key="k", secret="s", org="org")
Answer = Callable[[list[dict[str, Any]]], httpx.Response]


class Server:
    """Takes measurements; `answer` may refuse a batch instead."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.taken: list[dict[str, Any]] = []
        self.tokens = 0
        self.answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": 18000})
        assert request.url.path == "/organizations/org/measurements"
        batch = json.loads(request.content)["measurements"]
        refused = self.answer(batch) if self.answer else None
        if refused is not None and refused.is_error:
            return refused
        self.taken += batch
        return httpx.Response(200, json={"result": "accepted"})

    def client(self, patience_s: float = 5.0) -> Client:
        return Client(CONNECTION, patience_s=patience_s, transport=httpx.MockTransport(self))


def refuse_when(row: str, body: dict[str, Any], status: int = 400) -> Answer:
    def answer(batch: list[dict[str, Any]]) -> httpx.Response:
        hit = any(measurement["account"] == row for measurement in batch)
        return httpx.Response(status, json=body) if hit else httpx.Response(200)

    return answer


@pytest.fixture(autouse=True)
def own_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYSTICK_PROFILE", str(tmp_path / "profile.json"))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    file = tmp_path / "usage.csv"
    rows = "".join(f"a{n},2024-01-01,m,{n}.5\n" for n in range(1, 2501))
    file.write_text("account,ts,meter,measure.n\n" + rows)
    return look_at(file)


def send(server: Server, source: Source, how: Sending = Sending(Columns(), in_flight=1)) -> Sent:  # noqa: B008 - frozen
    with server.client() as client:
        return send_file(client, source, how)


def test_every_row_arrives_once_with_a_uid_of_its_own(source: Source) -> None:
    server = Server()
    sent = send(server, source, Sending(Columns(), in_flight=4))
    assert (sent.progress.accepted, sent.progress.finished, server.tokens) == (2500, True, 1)
    assert sorted(m["measure"]["n"] for m in server.taken) == [n + 0.5 for n in range(1, 2501)]
    assert len({m["uid"] for m in server.taken}) == 2500
    assert max(len(m["uid"]) for m in server.taken) <= 50


def test_a_second_run_has_nothing_to_do(source: Source) -> None:
    send(Server(), source)
    server = Server()
    assert send(server, source).progress.accepted == 2500
    assert server.taken == []
    again = send(server, source, Sending(Columns(), again=True))
    assert (len(server.taken), again.resumed_at) == (2500, 0)


def test_a_run_that_was_stopped_goes_on_with_the_same_uids(source: Source) -> None:
    broken = Server(refuse_when("a1500", {"message": "full"}, status=507))
    with pytest.raises(Refused, match="full"):
        send(broken, source)
    whole = Server()
    sent = send(whole, source)
    assert (sent.resumed_at, len(whole.taken), sent.progress.accepted) == (1000, 1500, 2500)
    assert not {m["uid"] for m in whole.taken} & {m["uid"] for m in broken.taken[:1000]}
    assert whole.taken[0]["uid"].endswith("-1001")


def test_another_mapping_of_the_file_is_other_usage(source: Source) -> None:
    one, other = Server(), Server()
    send(one, source)
    send(other, source, Sending(Columns(meter="another")))
    assert {m["uid"] for m in one.taken}.isdisjoint({m["uid"] for m in other.taken})


def test_a_busy_server_is_asked_again(source: Source) -> None:
    said = iter([429, 503, 200])

    def answer(_batch: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(next(said, 200), json={"message": "busy"}, headers={"retry-after": "0"})

    server = Server(answer)
    assert send(server, source).progress.accepted == 2500
    assert len(server.taken) == 2500


def test_a_lost_connection_is_tried_again(source: Source) -> None:
    failures = iter([httpx.ReadError("reset"), httpx.ConnectError("refused")])

    def answer(batch: list[dict[str, Any]]) -> httpx.Response:
        if batch[0]["account"] == "a1001" and (failure := next(failures, None)):
            raise failure
        return httpx.Response(200)

    assert send(Server(answer), source).progress.accepted == 2500


def test_a_token_that_is_no_longer_taken_is_exchanged_anew(source: Source) -> None:
    said = iter([403])

    def answer(_batch: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(next(said, 200), json={"code": "unauthenticated", "message": "old"})

    server = Server(answer)
    assert send(server, source).progress.accepted == 2500
    assert server.tokens == 2


def test_a_refusal_names_the_rows_of_the_file(source: Source) -> None:
    problem = {"field": "measurements[499].account", "code": "wrong_format", "message": "has a space"}
    server = Server(refuse_when("a1500", {"code": "invalid_body", "message": "bad", "errors": [problem]}))
    with pytest.raises(CommandError, match="row 1,500 account: has a space"):
        send(server, source)
    assert len(server.taken) == 1000


def test_bad_rows_stop_the_run_or_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(
        "account,ts,meter,measure.n\na,2024-01-01,m,1\nb,2024-01-01,m,x\nc,2024-01-01,m,3\nd,,m,4\n"
    )
    with pytest.raises(CommandError, match=r"row 2: measure\.n: 'x' is not a number") as caught:
        send(Server(), look_at(file))
    assert "--skip-bad" in caught.value.hint
    server = Server()
    sent = send(server, look_at(file), Sending(Columns(), skip_bad=True))
    assert [m["account"] for m in server.taken] == ["a", "c"]
    assert (sent.progress.rows, sent.progress.accepted, sent.progress.left_out) == (4, 2, 2)
    assert sent.bad_rows[1].startswith("row 4: ts")


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    def nobody(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with (
        Client(CONNECTION, transport=httpx.MockTransport(nobody)) as client,
        pytest.raises(CommandError, match="No server answers at http://server") as caught,
    ):
        client.get("products")
    assert "tallystick serve" in caught.value.hint


def test_something_else_than_a_server_is_told() -> None:
    def website(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, text="<html>")

    with (
        Client(CONNECTION, transport=httpx.MockTransport(website)) as client,
        pytest.raises(Refused, match="is it a Tallystick"),
    ):
        client.get("products")
