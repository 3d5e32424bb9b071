"""The one verb (semantics §6) on real engines: what is good is stored once, the rest kept and told."""

import json
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.accounts.account import Account
from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.kernel.errors import Unavailable
from tallystick.platform.resources.transaction import ResourceNotFound
from tallystick.usage.envelope import Measurement
from tallystick.usage.failures import EVENT, load_failures
from tallystick.usage.rules import MOST_AHEAD, FailureType
from tallystick.usage.service import Ingest
from tallystick.usage.skeletons import skeleton
from tallystick.usage.store.writer import GroupedWriter
from tests.support.clock import MovableClock
from tests.unit.usage.conftest import NOW, Desk, flight


def accounts(desk: Desk) -> dict[str, Account]:
    with desk.database.reading(desk.org_id) as tx:
        return {account.code: account for account in tx.find(Account)}


def failed(desk: Desk, file: str | None) -> list[dict[str, Any]]:
    assert file is not None
    with desk.database.reading(desk.org_id) as tx:
        return list(json.loads(load_failures(tx, file), parse_float=Decimal))


def test_good_measurements_are_stored_under_the_ids_of_account_and_meter(desk: Desk) -> None:
    meter = desk.meter()
    measure = {"distance": Decimal("812.125"), "delay": 0}
    outcome = desk(flight("a", measure=measure), flight("b", account="DFW"))
    assert (outcome.stored, outcome.rejected, outcome.file) == (2, 0, None)
    ids = {code: account.id for code, account in accounts(desk).items()}
    rows = {row["uid"]: row for row in desk.stored(meter)}
    slots = meter.slots
    assert rows["a"][slots["distance"]] == Decimal("812.125")
    assert rows["a"][slots["destination"]] == "DFW"
    assert [str(rows[uid]["account_id"]) for uid in "ab"] == [ids["ORD"], ids["DFW"]]
    assert desk.events(EVENT) == []


def test_an_unknown_account_is_made_for_its_usage(desk: Desk) -> None:
    desk.meter()
    desk(flight(account="TempAcct"), flight(account="TempAcct"))
    made = accounts(desk)["TempAcct"]
    assert made.name == "TempAcct-autocreated"
    assert made.email_address.endswith("-autocreated@example.com")
    assert made.created_by == desk.actor
    assert [e["newDto"]["code"] for e in desk.events("configuration.account.created")] == ["TempAcct"]


def test_no_account_is_made_for_what_is_rejected(desk: Desk) -> None:
    desk.meter()
    desk(flight(account="nobody", measure={}), flight(account="nobody", meter="nothing"))
    assert accounts(desk) == {}


def test_a_code_like_an_existing_one_makes_no_account(desk: Desk) -> None:
    meter = desk.meter()
    desk(flight("a", account="Acme"))
    outcome = desk(flight("b", account="ACME"), flight("c", account="Zeta"), flight("d", account="zeta"))
    assert outcome.failures == {FailureType.INVALID_ACCOUNT_CODE: 2}
    assert [f["measurement"]["account"] for f in failed(desk, outcome.file)] == ["ACME", "zeta"]
    assert {row["uid"] for row in desk.stored(meter)} == {"a", "c"}
    assert set(accounts(desk)) == {"Acme", "Zeta"}


@pytest.mark.parametrize(
    ("there", "sent"),
    [
        pytest.param("Acme", "aCME", id="letter case"),
        pytest.param("\u039f\u03a3", "\u03bf\u03c3", id="a sigma inside"),
        pytest.param("\u039f\u03a3", "\u03bf\u03c2", id="a sigma at the end"),
        pytest.param("\u0130stanbul", "i\u0307stanbul", id="the dot of a Turkish I"),
        pytest.param("Stra\u00dfe", "STRASSE", id="a sharp s"),
        pytest.param("Caf\u00e9", "Cafe\u0301", id="a letter and its accent apart"),
        pytest.param("CAFE\u0301", "caf\u00e9", id="both"),
    ],
)
def test_codes_that_people_take_for_the_same_make_no_account(desk: Desk, there: str, sent: str) -> None:
    """Near-identical is by letter case and Unicode form, in storage and inside a batch (semantics §6)."""
    desk.meter()
    assert desk(flight(account=there), flight(account=sent)).failures == {FailureType.INVALID_ACCOUNT_CODE: 1}
    assert desk(flight(account=sent)).failures == {FailureType.INVALID_ACCOUNT_CODE: 1}
    assert set(accounts(desk)) == {there}


def test_codes_like_an_accounts_present_one_make_no_account(desk: Desk) -> None:
    desk.meter()
    desk(flight(account="Acme"))
    with desk.database.transaction(desk.org_id) as tx:
        [account] = tx.find(Account)
        tx.update(account, msgspec.structs.replace(account, code="Bolt"))
    outcome = desk(flight(account="ACME"), flight(account="BOLT"))
    assert outcome.failures == {FailureType.INVALID_ACCOUNT_CODE: 1}
    assert set(accounts(desk)) == {"Bolt", "ACME"}


@pytest.mark.parametrize(
    ("there", "sent"), [("Acme", "Acm\u00e9"), ("i", "\u0131"), ("a b", "ab"), ("a", "\uff41")]
)
def test_other_codes_are_other_accounts(desk: Desk, there: str, sent: str) -> None:
    desk.meter()
    assert desk(flight(account=there), flight(account=sent)).failures == {}
    assert set(accounts(desk)) == {there, sent}


def test_an_account_that_many_ask_for_at_once_is_made_once(desk: Desk) -> None:
    meter = desk.meter()
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda i: desk(flight(f"u{i}", account=f"new{i % 2}")), range(16)))
    assert [outcome.stored for outcome in outcomes] == [1] * 16
    assert set(accounts(desk)) == {"new0", "new1"}
    assert len({str(row["account_id"]) for row in desk.stored(meter)}) == 2


def test_an_account_that_someone_creates_meanwhile_is_taken(desk: Desk) -> None:
    meter = desk.meter()
    with ThreadPoolExecutor(1) as threads:
        with desk.database.transaction(desk.org_id) as tx:
            by_hand = tx.create(skeleton("new"))
            waiting = threads.submit(desk, flight(account="new"))
            assert not wait([waiting], timeout=0.3).done  # our row is not committed, and its code is unique
        assert waiting.result(30).stored == 1
    assert [str(row["account_id"]) for row in desk.stored(meter)] == [by_hand.id]


def test_nothing_is_recorded_when_usage_cannot_be_stored(desk: Desk) -> None:
    meter = desk.meter()
    closed = GroupedWriter(desk.store, MovableClock(NOW))
    closed.start()
    closed.close()
    ingest = Ingest(desk.database, closed, desk.resolution)
    batch = [flight("a"), flight("b", measure={})]
    with pytest.raises(Unavailable):
        ingest(desk.org_id, desk.actor, batch)
    assert desk.events(EVENT) == []
    assert desk(*batch).stored == len(desk.stored(meter)) == 1


def test_a_missing_uid_is_made_up(desk: Desk) -> None:
    meter = desk.meter()
    assert desk(flight(), flight(), flight("")).stored == 3
    assert len({row["uid"] for row in desk.stored(meter)} - {""}) == 3


def test_a_uid_is_stored_once_within_and_across_batches(desk: Desk) -> None:
    meter = desk.meter()
    first = desk(flight("a"), flight("a", account="DFW"), flight("b"))
    again = desk(flight("b"), flight("c"))
    assert (first.stored, first.failures) == (2, {FailureType.DUPLICATE_UID: 1})
    assert (again.stored, again.failures) == (1, {FailureType.DUPLICATE_UID: 1})
    assert sorted(row["uid"] for row in desk.stored(meter)) == ["a", "b", "c"]
    assert failed(desk, first.file)[0]["measurement"]["account"] == "DFW"


def test_rejected_measurements_are_kept_as_they_were_sent_and_told_of(desk: Desk) -> None:
    desk.meter()
    sent = flight("x", measure={"distance": Decimal("1.50")}, ts=datetime(2025, 5, 1))  # noqa: DTZ001 - sent without
    outcome = desk(sent, flight("y"), flight("z", meter="nothing"))
    assert outcome.failures == {FailureType.MISSING_FIELD: 1, FailureType.UNDEFINED_METER: 1}
    kept = {f["type"]: f for f in failed(desk, outcome.file)}
    assert kept["MissingField"]["message"] == "the meter flights also needs delay"
    assert kept["MissingField"]["measurement"] == {
        "uid": "x",
        "meter": "flights",
        "account": "ORD",
        "ts": "2025-05-01T00:00:00",
        "where": {"destination": "DFW"},
        "metadata": {"tail": "N123"},
        "measure": {"distance": Decimal("1.50")},
    }
    [event] = desk.events(EVENT)
    assert (event["stored"], event["failed"]) == (1, 2)
    assert event["countsByType"] == {"MissingField": 1, "UndefinedMeter": 1}
    operation = f"/organizations/{desk.org_id}/measurements/failedIngest/getDownloadUrl"
    assert event["getDownloadUrl"] == f"{operation}?file={outcome.file}"


def test_what_never_landed_may_be_sent_again_under_its_uid(desk: Desk) -> None:
    """A uid counts from when its measurement is stored (semantics §6)."""
    desk.meter()
    assert desk(flight("x", measure={"distance": 1})).failures == {FailureType.MISSING_FIELD: 1}
    assert desk(flight("x")).stored == 1
    assert desk(flight("x")).failures == {FailureType.DUPLICATE_UID: 1}


def test_rejected_measurements_of_another_organization_are_not_found(desk: Desk) -> None:
    outcome = desk(flight())
    with desk.database.reading(str(uuid4())) as tx, pytest.raises(ResourceNotFound):
        load_failures(tx, outcome.file or "")
    with desk.database.reading(desk.org_id) as tx, pytest.raises(ResourceNotFound):
        load_failures(tx, "no id")


def test_meters_of_one_batch_are_told_apart(desk: Desk) -> None:
    one = desk.meter()
    field = DataField(category=FieldCategory.WHO, code="user", name="User")
    two = desk.meter("logins", [field])
    login = Measurement(meter="logins", account="ORD", ts=NOW, who={"user": "ann"})
    assert desk(flight(), login, flight(), login).stored == 4
    assert [len(desk.stored(meter)) for meter in (one, two)] == [2, 2]
    assert desk.stored(two)[0][two.slots["user"]] == "ann"


def test_a_changed_meter_is_used_at_once(desk: Desk) -> None:
    meter = desk.meter()
    assert desk(flight("a")).rejected == 0
    more = [*meter.data_fields, DataField(category=FieldCategory.WHAT, code="class", name="Class")]
    with desk.database.transaction(desk.org_id) as tx:
        now = tx.update(meter, msgspec.structs.replace(meter, data_fields=more))
    assert desk(flight("b")).failures == {FailureType.MISSING_FIELD: 1}
    assert desk(flight("c", what={"class": "Y"})).stored == 1
    assert {r["uid"]: r[now.slots["class"]] for r in desk.stored(now)} == {"a": None, "c": "Y"}


def test_a_code_that_changes_hands_takes_no_usage_along(desk: Desk) -> None:
    meter = desk.meter()
    desk(flight("old"))
    before = accounts(desk)["ORD"]
    with desk.database.transaction(desk.org_id) as tx:
        tx.delete(Account, before.id)
    desk(flight("new"))
    after = accounts(desk)["ORD"]
    assert {r["uid"]: str(r["account_id"]) for r in desk.stored(meter)} == {"old": before.id, "new": after.id}
    assert before.id != after.id


def test_a_meters_code_that_changes_hands_takes_no_usage_along(desk: Desk) -> None:
    meter = desk.meter()
    desk(flight("old"))
    with desk.database.transaction(desk.org_id) as tx:
        tx.update(meter, msgspec.structs.replace(meter, code="journeys"))
    other = desk.meter()
    desk(flight("new"), flight("moved", meter="journeys"))
    assert [row["uid"] for row in desk.stored(meter)] == ["old", "moved"]
    assert [row["uid"] for row in desk.stored(other)] == ["new"]


BROKEN: dict[str, dict[str, Any]] = {
    "good": {},
    "meter": {"meter": "nothing"},
    "missing": {"where": {}},
    "category": {"measure": {"distance": 1}, "cost": {"delay": 1}},
    "twice": {"what": {"destination": "x"}},
    "long": {"metadata": {"tail": "x" * 257}},
    "future": {"ts": NOW + MOST_AHEAD + timedelta(microseconds=1)},
    "extra": {"what": {"extra": "is ignored"}},
    "edge": {"ts": NOW + MOST_AHEAD},
}
GOOD = {"good", "extra", "edge"}


SENT = st.tuples(st.sampled_from(sorted(BROKEN)), st.sampled_from(["a", "b", "c", None]))


@settings(max_examples=25, deadline=None)
@given(batch=st.lists(SENT, min_size=1))
def test_nothing_good_is_lost_and_nothing_bad_is_stored(
    desks: Desk, batch: list[tuple[str, str | None]]
) -> None:
    desk = Desk(str(uuid4()), desks.actor, desks.database, desks.resolution, desks.store, desks.ingest)
    meter = desk.meter()
    outcome = desk(*(flight(uid, **BROKEN[kind]) for kind, uid in batch))
    good = [uid for kind, uid in batch if kind in GOOD]
    expected = len({uid for uid in good if uid}) + good.count(None)
    rows = desk.stored(meter)
    assert len(rows) == outcome.stored == expected
    assert {row["uid"] for row in rows} >= {uid for uid in good if uid}
    assert outcome.rejected == len(batch) - expected
    assert (len(failed(desk, outcome.file)) if outcome.rejected else 0) == outcome.rejected


def test_a_meter_of_another_organization_is_undefined(desk: Desk, desks: Desk) -> None:
    other = Desk(str(uuid4()), desk.actor, desks.database, desks.resolution, desks.store, desks.ingest)
    meter: Meter = other.meter()
    assert other(flight()).stored == 1
    assert desk(flight()).failures == {FailureType.UNDEFINED_METER: 1}
    assert len(desk.stored(meter)) == 0
