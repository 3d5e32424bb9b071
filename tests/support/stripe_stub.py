"""A local server that speaks Stripe's documented wire format, as far as invoices need it.

Form-encoded requests, JSON objects, idempotency keys (a repeat answers as the first did; with other
parameters it is refused), errors in their documented shape; and faults that a test asks for.
"""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "sk_test_local"


class StripeStub:
    """What the server holds. faults: what happens to the next requests, one each.

    `lose`: the work is done, and the answer is a 500. A status: the answer, without the work. Else: nothing.
    """

    def __init__(self) -> None:
        self.url = ""
        self.invoices: dict[str, dict[str, Any]] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self.faults: list[str | int] = []
        self.requests: list[str] = []
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def answer(
        self, method: str, path: str, form: dict[str, str], key: str | None, auth: str
    ) -> tuple[int, dict[str, Any]]:
        with self._lock:
            self.requests.append(f"{method} {path}")
            if auth != f"Bearer {KEY}":
                return 401, _error("invalid_request_error", "Invalid API Key provided")
            fault = self.faults.pop(0) if self.faults else None
            if isinstance(fault, int):
                kind = "api_error" if fault >= 500 else "invalid_request_error"
                return fault, _error(kind, f"as asked: {fault}")
            status, body = self._once(method, path, form, key)
            return (500, _error("api_error", "the answer is lost")) if fault == "lose" else (status, body)

    def _once(
        self, method: str, path: str, form: dict[str, str], key: str | None
    ) -> tuple[int, dict[str, Any]]:
        if key is None or method != "POST":
            return self._do(method, path, form)
        asked = json.dumps([path, sorted(form.items())])
        if key in self.answers:
            first, status, body = self.answers[key]
            if first != asked:
                return 400, _error("idempotency_error", "Keys can only be used with the same parameters")
            return status, body
        status, body = self._do(method, path, form)
        if status < 500:
            self.answers[key] = (asked, status, body)
        return status, body

    def _do(  # noqa: PLR0911 - one return an operation
        self, method: str, path: str, form: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        parts = path.strip("/").split("/")[1:]
        match method, parts:
            case "POST", ["invoices"]:
                return 200, self._make(self.invoices, "in", "invoice", form, status="draft", total=0)
            case "GET", ["invoices"]:
                mine = [i for i in self.invoices.values() if i["customer"] == form.get("customer")]
                return 200, _list(mine[::-1], "/v1/invoices")
            case "GET", ["invoices", invoice_id] if invoice_id in self.invoices:
                return 200, self.invoices[invoice_id]
            case "DELETE", ["invoices", invoice_id] if invoice_id in self.invoices:
                del self.invoices[invoice_id]
                self.items = {i: each for i, each in self.items.items() if each["invoice"] != invoice_id}
                return 200, {"id": invoice_id, "object": "invoice", "deleted": True}
            case "POST", ["invoices", invoice_id, "finalize"] if invoice_id in self.invoices:
                found = self.invoices[invoice_id]
                found |= {"status": "open", "hosted_invoice_url": f"https://invoice.stripe.test/{invoice_id}"}
                return 200, found
            case "GET", ["invoiceitems"]:
                mine = [i for i in self.items.values() if i["invoice"] == form.get("invoice")]
                return 200, _list(mine[::-1], "/v1/invoiceitems")
            case "POST", ["invoiceitems"] if form["invoice"] in self.invoices:
                made = self._make(self.items, "ii", "invoiceitem", form, amount=int(form["amount"]))
                self.invoices[form["invoice"]]["total"] += made["amount"]
                return 200, made
            case "GET", ["customers"]:
                return 200, _list(
                    [{"id": "cus_1", "object": "customer", "name": "Acme", "email": None}], "/v1/customers"
                )
        return 404, _error("invalid_request_error", f"No such thing: {method} {path}")

    def _make(self, where: dict[str, Any], prefix: str, kind: str, form: dict[str, str], **more: Any) -> Any:
        nested: dict[str, Any] = {}
        for name, value in form.items():
            if name.endswith("]"):
                outer, inner = name[:-1].split("[")
                nested.setdefault(outer, {})[inner] = value
            else:
                nested[name] = value
        made = {
            "id": f"{prefix}_{next(self._numbers)}",
            "object": kind,
            "created": 1,
            **nested,
            **more,
        }
        where[made["id"]] = made
        return made


def _list(data: list[Any], url: str) -> dict[str, Any]:
    return {"object": "list", "url": url, "has_more": False, "data": data}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


@contextmanager
def stripe_stub() -> Iterator[StripeStub]:
    """Start it on loopback."""
    stub = StripeStub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            form = dict(parse_qsl(raw or parts.query, keep_blank_values=True))
            key, auth = self.headers.get("Idempotency-Key"), self.headers.get("Authorization", "")
            status, body = stub.answer(self.command, parts.path, form, key, auth)
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.send_header("request-id", f"req_{time.monotonic_ns()}")
            if status == 429:
                self.send_header("Retry-After", "7")
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, name="stripe stub")
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
