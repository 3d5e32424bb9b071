"""Talking HTTP to a running server: tokens, retries, exact numbers, errors as the server told them."""

import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from email.message import Message
from pathlib import Path
from threading import Lock
from typing import Any, Self

import httpx
import msgspec

from tallystick.cli.errors import CommandError
from tallystick.cli.profile import Connection
from tallystick.kernel.problems import Problem

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
BUSY = frozenset({429, 502, 503, 504})
"Answers after which the same request may succeed later."
FORBIDDEN = 403
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 10.0
TOKEN_MARGIN_S = 300
PAGE_SIZE = 100

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
encode = msgspec.json.Encoder(decimal_format="number").encode


class Refused(CommandError):
    """The server answered with an error; `status` is HTTP's, `code` the server's own."""

    def __init__(
        self, message: str, *, status: int, code: str, problems: list[Problem], request_id: str
    ) -> None:
        hint = f"The server's log has more under request {request_id}." if status >= 500 else ""  # noqa: PLR2004 - HTTP's own bound
        super().__init__(message, hint=hint, problems=problems, code=code)
        self.status = status


class Client:
    """One organization on one server. Safe to use from several threads.

    patience_s: how long a busy or vanished server is asked again, once it has answered at all.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        patience_s: float = 30.0,
        connections: int = 8,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.connection = connection
        self.url = connection.url or ""
        self._patience_s = patience_s
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._http = httpx.Client(
            base_url=self.url, timeout=TIMEOUT, limits=limits, transport=transport, trust_env=False
        )
        self._token, self._token_until = "", 0.0
        self._signing_in = Lock()
        self._answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """Read something of the organization."""
        return self.call("GET", path, query=query, repeatable=True)

    def post(self, path: str, body: Any = None, *, repeatable: bool = False) -> Any:
        """Make or do something. repeatable: doing it twice is doing it once."""
        return self.call("POST", path, body=encode(body if body is not None else {}), repeatable=repeatable)

    def put(self, path: str, body: Any) -> Any:
        """Replace something; its `version` makes repeating harmless."""
        return self.call("PUT", path, body=encode(body))

    def every(self, path: str, **query: Any) -> Iterator[Any]:
        """Read a list to its end, page by page."""
        token: str | None = None
        while True:
            page = self.get(path, pageSize=PAGE_SIZE, nextToken=token, **query)
            yield from page["data"]
            token = page.get("nextToken")
            if not token:
                return

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        repeatable: bool = False,
    ) -> Any:
        """Send a request below the organization's path; give the answer. Raises Refused, CommandError."""
        return _decode(self._send(method, path, query=query, body=body, repeatable=repeatable))

    def file(self, path: str, **query: Any) -> bytes:
        """Read a file below the organization's path. Raises Refused, CommandError."""
        return self._send("GET", path, query=query, body=None, repeatable=True)

    def download(self, link: str, out: Path | None) -> Path:
        """Save what a signed link gives, whole or not at all. out: None takes the server's name for it.

        Raises Refused, CommandError.
        """
        try:
            with self._http.stream("GET", link) as answer:
                if answer.is_error:
                    answer.read()
                    raise refusal(answer)
                place = out or Path(_file_name(answer))
                draft = place.with_name(f".{place.name}.part")
                with draft.open("wb") as file:
                    for piece in answer.iter_bytes():
                        file.write(piece)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        except OSError as error:
            raise CommandError(f"The file cannot be written: {error}") from error
        draft.replace(place)
        return place

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None,
        body: bytes | None,
        repeatable: bool,
    ) -> bytes:
        where = f"/organizations/{self.connection.org}/{path}"
        params = {name: str(value) for name, value in (query or {}).items() if value is not None}

        def send() -> httpx.Response:
            headers = {"authorization": f"Bearer {self._bearer()}", "content-type": "application/json"}
            return self._http.request(method, where, params=params, content=body, headers=headers)

        answer = self._patiently(send, repeatable=repeatable)
        if answer.status_code == FORBIDDEN and "unauthenticated" in answer.text:
            self._token_until = 0.0  # revoked or signed by a secret of before
            answer = self._patiently(send, repeatable=repeatable)
        if answer.is_error:
            raise refusal(answer)
        return answer.content

    def interface(self) -> Any:
        """Read the server's OpenAPI document. Raises Refused, CommandError."""
        answer = self._patiently(lambda: self._http.get("/openapi.json"), repeatable=True)
        if answer.is_error:
            raise refusal(answer)
        return _decode(answer.content)

    def _patiently(self, send: Callable[[], httpx.Response], *, repeatable: bool) -> httpx.Response:
        """Send, and send again while the server is busy or gone, waiting longer each time."""
        deadline = time.monotonic() + self._patience_s
        wait_s = FIRST_WAIT_S
        while True:
            try:
                answer = send()
            except httpx.TransportError as error:
                lost = isinstance(error, httpx.ConnectError) or repeatable
                if not self._answered or not lost or time.monotonic() + wait_s > deadline:
                    raise self._unreachable(error) from error
            else:
                self._answered = True
                if answer.status_code not in BUSY or time.monotonic() + wait_s > deadline:
                    return answer
                wait_s = max(wait_s, _retry_after_s(answer))
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def _bearer(self) -> str:
        with self._signing_in:
            if time.monotonic() > self._token_until:
                self._token, lifetime_s = self._exchange()
                self._token_until = time.monotonic() + max(lifetime_s - TOKEN_MARGIN_S, 1)
            return self._token

    def _exchange(self) -> tuple[str, int]:
        """Exchange the access key for a token. Raises Refused."""
        answer = self._http.post(
            "/oauth/token",
            auth=(self.connection.key or "", self.connection.secret or ""),
            data={"grant_type": "client_credentials"},
        )
        if answer.is_error:
            raise refusal(answer)
        token = _decode(answer.content)
        return token["access_token"], int(token["expires_in"])

    def _unreachable(self, error: httpx.TransportError) -> CommandError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and not self._answered:
            return CommandError(
                f"No server answers at {self.url}.",
                hint="Start one with `tallystick serve`, or name another with --url or TALLYSTICK_URL.",
            )
        said = str(error) or type(error).__name__
        return CommandError(f"The connection to {self.url} was lost: {said}.", hint="Run the command again.")


def refusal(answer: httpx.Response) -> Refused:
    """Turn an error answer into an error of ours, whatever sent it."""
    try:
        told = _decode(answer.content)
        problems = [
            Problem(p.get("field", ""), p.get("code", ""), p["message"]) for p in told.get("errors", ())
        ]
        message, code, request_id = told["message"], told.get("code", ""), told.get("requestId", "")
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        problems, code, request_id = [], "", "?"
        message = (
            f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}: is it a Tallystick?"
        )
    return Refused(message, status=answer.status_code, code=code, problems=problems, request_id=request_id)


def _file_name(answer: httpx.Response) -> str:
    """Give the name that the server has for a file, without any folder."""
    header = Message()
    header["content-disposition"] = answer.headers.get("content-disposition", "")
    return Path(header.get_filename("") or answer.url.path).name


def _retry_after_s(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), 60.0) if text.replace(".", "", 1).isdigit() else 0.0
