"""A POST that is sent again with its key is carried out once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from tallystick.api import idempotency
from tallystick.api.routes import Route, all_routes
from tallystick.platform.database import Database
from tallystick.platform.idempotency import LONGEST_KEY, idempotency_keys, kept_answer, keyed_request
from tallystick.usage.retention import forget_old
from tests.support.world import World, dump

AIR = {"name": "Air", "code": "air"}


def post(world: World, path: str, body: Any, key: str) -> httpx.Response:
    headers = {"content-type": "application/json", "Idempotency-Key": key}
    where = f"/organizations/{world.org_id}/{path}"
    return world.http.post(where, content=dump(body), headers=headers)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_same_request_gets_the_first_answer_again(world: World) -> None:
    first, again = (post(world, "products", AIR, "k1") for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(world.get("products")["data"]) == 1
    created = world.get("events", resourceId=first.json()["id"])["data"]
    assert len(created) == 1, "the event is told once too"


def test_a_key_belongs_to_one_request_of_one_operation_of_one_organization(world: World) -> None:
    product = post(world, "products", AIR, "k1").json()["id"]
    other = post(world, "products", {**AIR, "code": "other"}, "k1")
    assert refused(other) == (409, "idempotency_key_reused")
    meter = {"name": "M", "code": "m", "productId": product, "dataFields": [], "derivedFields": []}
    assert refused(post(world, "meters", meter, "k1")) == (400, "invalid_body")

    account = post(world, "accounts", {**AIR, "emailAddress": "a@example.com"}, "k1")
    assert account.status_code == 200, "the same key for another operation is another key"
    stranger = World(world.live)
    assert post(stranger, "products", AIR, "k1").json()["id"] != product
    stranger.close()


def test_the_path_is_part_of_the_request(world: World) -> None:
    plan = world.plan(world.product())["id"]
    attached = [world.attach(world.account(code)["id"], plan, "2025-01-01") for code in ("a", "b")]
    body = {"planId": plan, "startDate": "2025-03-01T00:00:00Z"}
    paths = [f"accountplans/{each['id']}/replace" for each in attached]
    bodies = [{**body, "accountId": each["accountId"]} for each in attached]
    assert post(world, paths[0], bodies[0], "k").status_code == 200
    assert post(world, paths[0], bodies[0], "k").status_code == 200
    assert refused(post(world, paths[1], bodies[0], "k")) == (409, "idempotency_key_reused")


def test_a_refused_request_leaves_its_key_free(world: World) -> None:
    product = world.product("air")
    assert refused(post(world, "products", AIR, "k1")) == (400, "invalid_body")
    world.delete(f"products/{product}")
    assert post(world, "products", AIR, "k1").status_code == 200


@pytest.mark.parametrize("key", ["", "two words", "k" * (LONGEST_KEY + 1), "clé"])
def test_a_key_has_1_to_255_visible_characters(world: World, key: str) -> None:
    headers = {b"content-type": b"application/json", b"Idempotency-Key": key.encode()}
    where = f"/organizations/{world.org_id}/products"
    answer = world.http.post(where, content=dump(AIR), headers=list(headers.items()))
    assert refused(answer) == (400, "bad_idempotency_key")
    assert post(world, "products", AIR, "k" * LONGEST_KEY).status_code == 200


def test_a_key_is_forgotten_after_24_hours(world: World) -> None:
    world.at("2025-06-02T12:00")
    first = post(world, "products", AIR, "k1").json()["id"]
    world.at("2025-06-03T11:59:59")
    assert post(world, "products", AIR, "k1").json()["id"] == first
    world.delete(f"products/{first}")
    world.at("2025-06-03T12:00:01")
    second = post(world, "products", AIR, "k1").json()["id"]
    assert second != first
    assert post(world, "products", AIR, "k1").json()["id"] == second

    database = world.live.platform.database
    own = select(func.count()).where(idempotency_keys.c.org_id == world.org_id)
    forget_old(database)
    with database.reading(world.org_id) as tx:
        assert tx.execute(own).scalar() == 1
    world.at("2025-06-04T12:00:02")
    forget_old(database)
    with database.reading(world.org_id) as tx:
        assert tx.execute(own).scalar() == 0


def test_work_whose_answer_cannot_be_kept_is_not_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "keep_answer", fail)
        assert refused(post(world, "products", AIR, "k1")) == (500, "internal_error")
    assert world.get("products")["data"] == []
    assert world.get("events", eventName="configuration.product.created")["data"] == []
    assert post(world, "products", AIR, "k1").status_code == 200


def test_while_the_first_is_carried_out_the_second_is_sent_away(world: World) -> None:
    database: Database = world.live.platform.database
    with database.transaction(world.org_id) as tx:
        kept_answer(tx, keyed_request("createProduct", "k1", b"still running"))
        answer = post(world, "products", AIR, "k1")
    assert refused(answer) == (409, "idempotency_key_in_use")
    assert answer.headers["retry-after"] == "1"
    assert post(world, "products", AIR, "k1").status_code == 200


def test_of_many_at_once_one_is_carried_out(world: World) -> None:
    together = threading.Barrier(8)

    def send(_: int) -> httpx.Response:
        together.wait()
        return post(world, "accounts", {**AIR, "emailAddress": "a@example.com"}, "k1")

    world.get("products")  # the token is there before the threads are
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(8)))
    assert {a.status_code for a in answers} <= {200, 409}
    assert len({a.json()["id"] for a in answers if a.status_code == 200}) == 1
    assert len(world.get("accounts")["data"]) == 1


def test_what_takes_several_transactions_is_done_with_a_key_as_without(world: World) -> None:
    plan = world.plan(world.product(), standingCharge=10)["id"]
    world.attach(world.account()["id"], plan, "2025-05-01")
    (bill,) = world.run_bills(billingFrequency="MONTHLY", lastDateInBillingPeriod="2025-05-31")
    answer = post(world, f"bills/{bill['id']}/statement/csv", {}, "k1")
    assert answer.status_code == 200, answer.text
    assert answer.json()["downloadUrl"]


def test_a_webhook_is_made_together_with_its_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = {"type": "M3TER_SIGNED_REQUEST", "apiKey": "key-1", "secret": "open sesame"}
    hook = {"name": "H", "description": "D", "url": "http://1.1.1.1/", "credentials": credentials}

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(idempotency, "keep_answer", fail)
    assert post(world, "integrationdestinations/webhooks", hook, "k1").status_code == 500
    monkeypatch.undo()
    assert world.get("integrationdestinations/webhooks")["data"] == []
    assert post(world, "integrationdestinations/webhooks", hook, "k1").status_code == 200


def test_what_says_itself_what_is_new_takes_no_keys(world: World) -> None:
    world.meter(world.product())
    measurement = world.measure("acme", "2025-05-01T00:00:00Z", uid="u1")
    for _ in range(2):
        answer = post(world, "measurements", {"measurements": [measurement]}, "not a key")
        assert answer.json() == {"result": "accepted"}


def without_keys(routes: tuple[Route, ...]) -> set[str]:
    posts = (r for r in routes if r.method == "POST" and r.permission is not None)
    return {r.operation_id for r in posts if not r.takes_keys}


def test_only_what_does_no_harm_twice_takes_no_keys() -> None:
    assert without_keys(all_routes()) == {
        "submitMeasurements",
        "createAccessKey",  # its answer holds a secret
        "listResourceGroupContents",
        "submitMeasurementsCsv",
        "submitCloudEvents",
        "previewBill",
        "simulateBills",
        "downloadBillsCsvUrl",
        "previewBalanceChargeSchedule",
        "previewBalanceTransactionSchedule",
        "evaluateCalculation",
        "verifyBill",
        "createBillCsvStatement",  # several transactions, and only a link in the end
        "testWebhook",  # a receiver may take its time, which no transaction waits for
        "queryUsage",
        "queryBillData",
        "getArchivedLookupTableRevisionData",
    }
