"""A fresh organization on a live server, driven through its API as a customer would."""

import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

import httpx

from tallystick.organizations.service import bootstrap
from tallystick.platform.jobs import has_work
from tallystick.wiring import make_due
from tests.support.live import Live

JOB_WITHIN_S = 60
_BAND = ("lowerLimit", "fixedPrice", "unitPrice")
_numbers = itertools.count(1)


class ApiError(AssertionError):
    """The API refused what the test expected to succeed, or the other way round."""


class _Bearer(httpx.Auth):
    """Exchanges the key for a token when there is none, and again when the old one has expired."""

    requires_response_body = True

    def __init__(self, key: str, secret: str) -> None:
        self.credentials = (key, secret)
        self.token: str | None = None

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        if self.token is None:
            exchange = httpx.Request(
                "POST",
                request.url.copy_with(path="/oauth/token", query=None),
                json={"grant_type": "client_credentials"},
            )
            answer = yield next(httpx.BasicAuth(*self.credentials).auth_flow(exchange))
            self.token = answer.json()["access_token"]
        request.headers["authorization"] = f"Bearer {self.token}"
        yield request


class Api:
    """One organization of a server, seen through its API, and short words for what scenarios do."""

    def __init__(self, url: str, org_id: str, key: str, secret: str) -> None:
        self.url, self.org_id, self.key, self.secret = url, org_id, key, secret
        self._auth = _Bearer(key, secret)
        self.http = httpx.Client(base_url=url, auth=self._auth, timeout=60)

    def close(self) -> None:
        self.http.close()

    def call(self, method: str, path: str, *, expect: int = 200, body: Any = None, **more: Any) -> Any:
        """Make one call; give its JSON, fractions as Decimal. Raises ApiError on another status."""
        if body is not None:
            more["content"] = dump(body)
            more.setdefault("headers", {"content-type": "application/json"})
        answer = self.http.request(method, f"/organizations/{self.org_id}/{path}", **more)
        if answer.status_code != expect:
            message = f"{method} {path} answered {answer.status_code}, not {expect}: {answer.text[:2000]}"
            raise ApiError(message)
        return json.loads(answer.text, parse_float=Decimal)

    def get(self, path: str, *, expect: int = 200, **params: Any) -> Any:
        return self.call("GET", path, expect=expect, params=params)

    def post(self, path: str, body: Any = None, *, expect: int = 200) -> Any:
        return self.call("POST", path, expect=expect, body={} if body is None else body)

    def put(self, path: str, body: Any = None, *, expect: int = 200) -> Any:
        return self.call("PUT", path, expect=expect, body={} if body is None else body)

    def delete(self, path: str, *, expect: int = 200) -> Any:
        return self.call("DELETE", path, expect=expect)

    # --- short words ----------------------------------------------------------------------------

    def product(self, code: str = "air") -> str:
        return str(self.post("products", {"name": code.title(), "code": code})["id"])

    def meter(self, product_id: str | None = None, code: str = "flights", **more: Any) -> Any:
        fields = [
            {"category": "MEASURE", "code": "distance", "name": "Distance", "unit": "mi"},
            {"category": "MEASURE", "code": "delay", "name": "Delay", "unit": "min"},
            {"category": "WHERE", "code": "destination", "name": "Destination"},
        ]
        body = {"name": code.title(), "code": code, "dataFields": fields, "derivedFields": [], **more}
        return self.post("meters", {**body, **({"productId": product_id} if product_id else {})})

    def aggregation(self, meter_id: str, method: str = "SUM", target: str = "distance", **more: Any) -> Any:
        body = {
            "name": f"{method} of {target}",
            "meterId": meter_id,
            "aggregation": method,
            "targetField": target,
            "rounding": "NONE",
            "quantityPerUnit": 1,
            "unit": "mi",
            **more,
        }
        return self.post("aggregations", body)

    def plan(self, product_id: str, code: str = "pro", **template: Any) -> Any:
        body = {"currency": "USD", "billFrequency": "MONTHLY", "standingCharge": 0, **template}
        made = self.post("plantemplates", {"name": code, "productId": product_id, **body})
        return self.post("plans", {"name": code.title(), "code": code, "planTemplateId": made["id"]})

    def pricing(self, plan_id: str, aggregation_id: str, *bands: tuple[Any, Any, Any], **more: Any) -> Any:
        """Price an aggregation: each band is (lower limit, fixed price, unit price)."""
        body = {
            "planId": plan_id,
            "aggregationId": aggregation_id,
            "startDate": "2020-01-01T00:00:00Z",
            "cumulative": True,
            "pricingBands": [dict(zip(_BAND, band, strict=True)) for band in bands],
            **more,
        }
        return self.post("pricings", body)

    def account(self, code: str = "acme", **more: Any) -> Any:
        return self.post(
            "accounts", {"name": code, "code": code, "emailAddress": f"{code}@example.com", **more}
        )

    def attach(self, account_id: str, plan_id: str, start: str, end: str | None = None, **more: Any) -> Any:
        body = {"accountId": account_id, "planId": plan_id, "startDate": midnight(start), **more}
        return self.post("accountplans", {**body, **({"endDate": midnight(end)} if end else {})})

    def measure(
        self, account: str, ts: str, *, meter: str = "flights", uid: str | None = None, **values: Any
    ) -> Any:
        """Make one measurement, not sent yet; give `distance`, `delay`, `destination` where they matter."""
        measures = {"distance": values.get("distance", 0), "delay": values.get("delay", 0)}
        where = {"destination": values.get("destination", "ORD")}
        made = {"meter": meter, "account": account, "ts": ts, "measure": measures, "where": where}
        return {**made, **({"uid": uid} if uid else {})}

    def run_bills(self, **job: Any) -> list[Any]:
        """Run a bill job to its end; give all bills, newest first."""
        return self._finished(self.post("billjobs", job))

    def recalculate(self, bill_ids: list[str]) -> list[Any]:
        """Make bills anew, together; give all bills, newest first."""
        return self._finished(self.post("billjobs/recalculate", {"billIds": bill_ids}))

    def _finished(self, made: Any) -> list[Any]:
        deadline = time.monotonic() + JOB_WITHIN_S
        while self.get(f"billjobs/{made['id']}")["status"] != "COMPLETE":
            assert time.monotonic() < deadline, made
            time.sleep(0.02)
        bills: list[Any] = self.get("bills")["data"]
        return bills

    def send(self, *measurements: Any, expect: int = 200) -> Any:
        return self.post("measurements", {"measurements": measurements}, expect=expect)


class World(Api):
    """A fresh organization on the live server of this test process, whose clock it can move."""

    def __init__(self, live: Live) -> None:
        self.live = live
        name = f"World {next(_numbers)}"
        database, clock = live.platform.database, live.clock
        made = bootstrap(
            database, clock, organization=name, admin_email="admin@example.com", admin_password=None
        )
        super().__init__(live.url, made.org_id, made.access_key_id, made.api_secret)

    def now(self) -> datetime:
        """Give the present instant."""
        return self.live.clock.now()

    def at(self, moment: str) -> Self:
        """Move the clock to a date or an instant, UTC."""
        instant = datetime.fromisoformat(moment)
        self.live.clock.instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
        self._auth.token = None
        return self

    def settle(self) -> Self:
        """Do what is due in this organization, and wait for the jobs that come of it."""
        platform = self.live.platform
        make_due(platform, self.live.services).run(self.org_id)
        while True:
            with platform.database.reading(self.org_id) as tx:
                if not has_work(tx, besides=""):
                    return self
            time.sleep(0.02)


def second(instant: str) -> str:
    """Cut an instant to its second: the clock goes on a little while things happen."""
    return f"{instant[:19]}Z"


def midnight(day: str) -> str:
    """Write a date as its first instant in UTC; an instant stays as it is."""
    return f"{day}T00:00:00Z" if len(day) == len("2024-01-01") else day


def dump(body: Any) -> str:
    """Write JSON with Decimals as the numbers they are."""
    numbers: dict[str, str] = {}

    def plain(value: Any) -> str:
        mark = f"@{len(numbers)}@"
        numbers[f'"{mark}"'] = f"{value:f}"
        return mark

    text = json.dumps(body, default=plain)
    for mark, number in numbers.items():
        text = text.replace(mark, number)
    return text
