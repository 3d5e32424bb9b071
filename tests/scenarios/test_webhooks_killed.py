"""A server that is killed in the middle of a delivery loses none."""

import time
from pathlib import Path

from tests.support import process
from tests.support.receiver import Receiver, answers, hangs, receiver

PATH = "integrationdestinations/webhooks"
ALLOW = {"TALLYSTICK_WEBHOOK_ALLOW": "127.0.0.1"}


def test_what_was_under_way_is_delivered_by_the_next_server(temporary_folder: Path) -> None:
    made = process.bootstrap(temporary_folder)
    with receiver() as shop:
        with process.Process.start(temporary_folder, **ALLOW) as server:
            api = process.api(server, made)
            credentials = {"type": "M3TER_SIGNED_REQUEST", "apiKey": "k", "secret": "s"}
            body = {"name": "Shop", "description": "d", "url": shop.url(), "credentials": credentials}
            hook = f"{PATH}/{api.post(PATH, body)['id']}"
            tried = api.post(f"{hook}/test")
            shop.behave("/ok", hangs)
            again = api.post(f"{hook}/deliveries/{tried['id']}/redeliver")
            requests(shop, 2)
            server.kill()
        shop.behave("/ok", answers(200))
        with process.Process.start(temporary_folder, **ALLOW) as server:
            requests(shop, 3)
            api = process.api(server, made)
            ends = time.monotonic() + 20
            while (found := api.get(f"{hook}/deliveries/{again['id']}"))["status"] == "PENDING":
                assert time.monotonic() < ends
                time.sleep(0.1)
    assert found["status"] == "DELIVERED"
    assert {headers["webhook-id"] for _, headers, _ in shop.requests} == {tried["messageId"]}


def requests(shop: Receiver, wanted: int) -> None:
    ends = time.monotonic() + 30
    while len(shop.requests) < wanted:
        assert time.monotonic() < ends
        time.sleep(0.05)
