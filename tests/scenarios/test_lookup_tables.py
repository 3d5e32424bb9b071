"""Lookup tables (semantics §12): revisions, rows, jobs and files, what calculations find, what is refused."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tallystick.calc.errors import CalculationError
from tallystick.catalogue import lookup_find
from tallystick.catalogue.lookup_job import LookupJobType
from tallystick.catalogue.lookup_service import start_job
from tallystick.catalogue.lookup_table import LookupTableRevision
from tests.support.live import Live
from tests.support.world import World, second

OTHER = "00000000-0000-4000-8000-000000000001"
FIELDS = [
    {"name": "region", "type": "STRING"},
    {"name": "tier", "type": "NUMBER"},
    {"name": "rate", "type": "NUMBER"},
    {"name": "label", "type": "STRING"},
]
EU1: dict[str, Any] = {"region": "eu", "tier": 1, "rate": Decimal("0.25"), "label": "cheap"}
EU2: dict[str, Any] = {"region": "eu", "tier": 2, "rate": Decimal("0.5")}
US1: dict[str, Any] = {"region": "us", "tier": 1, "rate": 3}


def codes(answer: Any) -> dict[str, str]:
    """Give the problems of a refusal by field."""
    return {p["field"]: p["code"] for p in answer["errors"]}


class Table:
    """A lookup table with one draft, and short words for what scenarios do with it."""

    def __init__(self, world: World, code: str = "rates") -> None:
        self.world, self.code = world, code
        self.id = str(world.post("lookuptables", {"name": code.title(), "code": code})["id"])
        self.draft = self.revision()

    def revision(self, **more: Any) -> Any:
        body = {"name": "First", "fields": FIELDS, "keys": ["region", "tier"], **more}
        return self.world.post(self.path(), body)

    def path(self, revision: Any = None, rest: str = "") -> str:
        of = f"/{revision['id']}" if revision else ""
        return f"lookuptables/{self.id}/revisions{of}{rest}"

    def data(self, rest: str = "", revision: Any = None) -> str:
        return self.path(revision or self.draft, f"/data{rest}")

    def put(self, *items: Any, expect: int = 200, revision: Any = None, **more: Any) -> Any:
        body = {"items": items, **more}
        return self.world.put(self.data(revision=revision), body, expect=expect)

    def items(self, revision: Any = None, **params: Any) -> Any:
        return self.world.get(self.data(revision=revision), **params)["items"]

    def get(self, revision: Any = None) -> Any:
        return self.world.get(self.path(revision or self.draft))

    def status(self, status: str | None, revision: Any = None, *, expect: int = 200) -> Any:
        current = self.get(revision)
        body = {"version": current["version"], **({"status": status} if status else {})}
        return self.world.put(self.path(current, "/status"), body, expect=expect)

    def job(self, job_id: str, revision: Any = None) -> Any:
        return self.world.get(self.data(f"/jobs/{job_id}", revision))

    def finished(self, job_id: str, revision: Any = None) -> Any:
        return until(lambda: self.job(job_id, revision), lambda job: job["status"] != "PENDING")

    def find(self, live: Live, field: str, *keys: Any) -> Any:
        cache, database = live.platform.lookups, live.platform.database
        return cache.find(database, self.world.org_id, self.code, field, keys)

    def upload(self, content: bytes, content_type: str = "text/csv", **more: Any) -> Any:
        body = {"fileName": "rows", "contentType": content_type, "contentLength": len(content), **more}
        link = self.world.post(self.data("/generateuploadurl"), body)
        sent = httpx.put(link["url"], content=content, headers=link["headers"], timeout=60)
        assert sent.status_code == 200, sent.text
        return self.finished(link["jobId"])


def until(look: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """Look until what is seen is good, for at most 20 seconds."""
    end = time.monotonic() + 20
    seen = look()
    while not good(seen):
        assert time.monotonic() < end, f"not in time: {seen}"
        time.sleep(0.05)
        seen = look()
    return seen


@pytest.fixture
def table(world: World) -> Table:
    return Table(world)


# --- tables -------------------------------------------------------------------------------------


def test_a_table_keeps_what_it_was_given(world: World) -> None:
    made = world.post("lookuptables", {"name": "Rates", "code": "rates", "customFields": {"a": 1}})
    assert (made["version"], made["customFields"]) == (1, {"a": 1})
    path = f"lookuptables/{made['id']}"
    changed = world.put(path, {"name": "Prices", "code": "prices", "version": 1})
    assert (changed["code"], changed["customFields"], changed["version"]) == ("prices", {}, 2)
    assert world.put(path, {"name": "P", "code": "p", "version": 1}, expect=409)["code"] == "stale_version"
    assert codes(world.put(path, {"name": "P", "code": "p"}, expect=400)) == {"version": "required"}
    assert world.delete(path)["name"] == "Prices"
    world.get(path, expect=404)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"name": None}, {"name": "required"}, id="no name"),
        pytest.param({"code": None}, {"code": "required"}, id="no code"),
        pytest.param({"code": "a\tb"}, {"code": "wrong_format"}, id="code with a tab"),
        pytest.param({"code": "c" * 81}, {"code": "wrong_length"}, id="long code"),
        pytest.param({"code": "taken"}, {"code": "duplicate"}, id="code of another table"),
        pytest.param({"customFields": {"a": True}}, {"customFields.a": "wrong_type"}, id="custom field true"),
    ],
)
def test_a_table_is_refused(world: World, changed: dict[str, Any], expected: dict[str, str]) -> None:
    world.post("lookuptables", {"name": "Taken", "code": "taken"})
    refused = world.post("lookuptables", {"name": "Rates", "code": "rates", **changed}, expect=400)
    assert codes(refused) == expected


def test_the_published_revision_comes_with_its_table_when_asked_for(world: World, table: Table) -> None:
    other = Table(world, "other")
    published = table.status("PUBLISHED")
    path = f"lookuptables/{table.id}"
    assert "activeRevision" not in world.get(path)
    assert world.get(path, additional="activeRevision")["activeRevision"] == published
    assert "activeRevision" not in world.get(f"lookuptables/{other.id}", additional="activeRevision")
    listed = world.get("lookuptables", additional="activeRevision", pageSize=200)["data"]
    assert [t.get("activeRevision", {}).get("id") for t in listed] == [None, published["id"]]
    assert [t["id"] for t in world.get("lookuptables", codes="rates,none")["data"]] == [table.id]
    first = world.get("lookuptables", pageSize=1)
    second = world.get("lookuptables", pageSize=1, nextToken=first["nextToken"])
    assert [t["id"] for t in (*first["data"], *second["data"])] == [other.id, table.id]
    assert "nextToken" not in second


# --- revisions ----------------------------------------------------------------------------------


def test_a_revision_keeps_what_it_was_given(world: World, table: Table) -> None:
    made = table.revision(startDate="2025-07-01T00:00:00Z", customFields={"by": "me"})
    assert (made["status"], made["itemCount"], made["version"]) == ("DRAFT", 0, 1)
    assert (made["fields"], made["keys"]) == (FIELDS, ["region", "tier"])
    assert (made["startDate"], made["customFields"]) == ("2025-07-01T00:00:00Z", {"by": "me"})
    fields = [FIELDS[1], FIELDS[0], FIELDS[2]]
    body = {"name": "Second", "fields": fields, "keys": ["tier"], "version": 1}
    changed = world.put(table.path(made), body)
    assert (changed["fields"], changed["keys"], changed["version"]) == (fields, ["tier"], 2)
    assert "startDate" not in changed
    assert world.put(table.path(made), body, expect=409)["code"] == "stale_version"
    assert codes(world.put(table.path(made), {**body, "version": None}, expect=400)) == {
        "version": "required"
    }
    listed = [r["id"] for r in world.get(table.path())["data"]]
    assert listed == [made["id"], table.draft["id"]]
    assert [r["id"] for r in world.get(table.path(), ids=made["id"])["data"]] == [made["id"]]
    assert len(world.get(table.path(), pageSize=1)["data"]) == 1
    assert world.delete(table.path(made))["name"] == "Second"
    world.get(table.path(made), expect=404)


NAMED = [{"name": n, "type": "STRING"} for n in "abcdefghijk"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"fields": NAMED[:1]}, {"fields": "wrong_length"}, id="one field"),
        pytest.param({"fields": NAMED}, {"fields": "wrong_length"}, id="eleven fields"),
        pytest.param({"keys": []}, {"keys": "wrong_length"}, id="no key"),
        pytest.param(
            {"fields": NAMED[:10], "keys": [*"abcdef"]}, {"keys": "wrong_length"}, id="more than five keys"
        ),
        pytest.param({"keys": ["country"]}, {"keys[0]": "unknown_field"}, id="a key that is no field"),
        pytest.param({"keys": ["tier", "tier"]}, {"keys[1]": "duplicate"}, id="a key twice"),
        pytest.param(
            {"fields": FIELDS[:2]}, {"keys": "no_value_field"}, id="nothing to look up beside the keys"
        ),
        pytest.param(
            {"fields": [*FIELDS, FIELDS[3]]}, {"fields[4].name": "duplicate"}, id="a field name twice"
        ),
        pytest.param(
            {"fields": [*FIELDS, {"type": "STRING"}]}, {"fields[4].name": "required"}, id="a nameless field"
        ),
        pytest.param(
            {"fields": [*FIELDS, {"name": "1st", "type": "STRING"}]},
            {"fields[4].name": "wrong_format"},
            id="a field name that starts with a digit",
        ),
        pytest.param(
            {"fields": [*FIELDS, {"name": "x", "type": "DATE"}]},
            {"fields[4].type": "unknown_value"},
            id="a type that there is not",
        ),
        pytest.param({"startDate": "soon"}, {"startDate": "wrong_format"}, id="a start that is no date"),
    ],
)
def test_a_revision_is_refused(table: Table, changed: dict[str, Any], expected: dict[str, str]) -> None:
    body = {"name": "Second", "fields": FIELDS, "keys": ["region", "tier"], **changed}
    refused = table.world.post(table.path(), body, expect=400)
    assert codes(refused) == expected


def test_a_revision_belongs_to_its_table(world: World, table: Table, live: Live) -> None:
    other = Table(world, "other")
    for path in (
        other.path(table.draft),
        other.path(table.draft, "/data"),
        other.path(table.draft, "/data/jobs"),
    ):
        assert world.get(path, expect=404)["code"] == "resource_not_found"
    world.get(f"lookuptables/{OTHER}/revisions", expect=404)
    world.post(
        f"lookuptables/{OTHER}/revisions", {"name": "x", "fields": FIELDS, "keys": ["tier"]}, expect=404
    )
    stranger = World(live)
    for path in (
        table.path(),
        table.path(table.draft),
        table.data(),
        table.data("/eu:1"),
        table.data("/jobs"),
    ):
        stranger.get(path, expect=404)
    stranger.close()


# --- status -------------------------------------------------------------------------------------


def test_publishing_archives_the_one_before(world: World, table: Table) -> None:
    first, second = table.draft, table.revision(name="Second")
    table.put(EU1)
    published = table.status("PUBLISHED", first)
    assert (published["status"], published["version"], published["itemCount"]) == ("PUBLISHED", 2, 1)
    assert table.status("PUBLISHED", second)["status"] == "PUBLISHED"
    assert [r["status"] for r in world.get(table.path())["data"]] == ["PUBLISHED", "ARCHIVED"]
    jobs = world.get(table.data("/jobs", first))["data"]
    assert [j["type"] for j in jobs] == ["ARCHIVE"]
    assert table.finished(jobs[0]["id"], first)["status"] == "SUCCEEDED"


def test_of_drafts_published_at_once_one_stays_published(world: World, table: Table) -> None:
    drafts = [table.draft, *(table.revision(name=f"R{i}") for i in range(5))]
    with ThreadPoolExecutor(len(drafts)) as pool:
        answers = [*pool.map(lambda draft: table.status("PUBLISHED", draft), drafts)]
    assert {a["status"] for a in answers} == {"PUBLISHED"}
    statuses = [r["status"] for r in world.get(table.path())["data"]]
    assert sorted(statuses) == [*["ARCHIVED"] * 5, "PUBLISHED"]


def test_rows_stored_at_once_are_all_there(table: Table) -> None:
    rows = [{"region": f"r{i}", "tier": 1, "rate": i} for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        versions = [a["version"] for a in pool.map(table.put, rows)]
    assert sorted(versions) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (table.items(), table.get()["itemCount"]) == (rows, 8)


@pytest.mark.parametrize("kind", [LookupJobType.COPY, LookupJobType.UPLOAD])
def test_a_revision_is_not_published_before_its_rows_are_there(
    live: Live, world: World, table: Table, kind: LookupJobType
) -> None:
    """What is looked up too early finds nothing, and the default is charged (semantics §12)."""
    source = table.revision()
    with live.platform.database.transaction(world.org_id) as tx:
        of, to = (source, table.draft["id"]) if kind is LookupJobType.COPY else (table.draft, None)
        more = {"destination_lookup_table_revision_id": to, "received": to is None}
        job = start_job(tx, tx.get(LookupTableRevision, of["id"]), kind, queued=False, **more)
    refused = table.status("PUBLISHED", expect=409)
    assert (refused["code"], job.id in refused["message"]) == ("lookup_rows_awaited", True)
    world.delete(table.data(f"/jobs/{job.id}", of))
    assert table.status("PUBLISHED")["status"] == "PUBLISHED"


def test_the_database_itself_keeps_one_published(live: Live, world: World, table: Table) -> None:
    table.status("PUBLISHED")
    second = table.revision()
    with (
        pytest.raises(Exception, match="uq_lookuptablerevisions_published"),
        live.platform.database.transaction(world.org_id) as tx,
    ):
        tx.connection.exec_driver_sql(
            f"UPDATE lookuptablerevisions SET status = 'PUBLISHED' WHERE id = '{second['id']}'"  # noqa: S608 - our own id
        )


def test_a_status_only_goes_forward(table: Table) -> None:
    for status in ("DRAFT", "ARCHIVED"):
        assert codes(table.status(status, expect=400)) == {"status": "wrong_transition"}
    assert codes(table.status(None, expect=400)) == {"status": "required"}
    assert codes(table.status("LIVE", expect=400)) == {"status": "unknown_value"}
    table.status("PUBLISHED")
    for status in ("DRAFT", "PUBLISHED"):
        assert codes(table.status(status, expect=400)) == {"status": "wrong_transition"}
    table.status("ARCHIVED")
    for status in ("DRAFT", "PUBLISHED", "ARCHIVED"):
        assert codes(table.status(status, expect=400)) == {"status": "wrong_transition"}


def test_a_status_change_needs_the_current_version(world: World, table: Table) -> None:
    path = table.path(table.draft, "/status")
    assert codes(world.put(path, {"status": "PUBLISHED"}, expect=400)) == {"version": "required"}
    stale = world.put(path, {"status": "PUBLISHED", "version": 9}, expect=409)
    assert stale["code"] == "stale_version"


def test_what_is_published_stays(world: World, table: Table) -> None:
    table.put(EU1)
    table.status("PUBLISHED")
    for path in (table.path(table.draft), f"lookuptables/{table.id}"):
        assert world.delete(path, expect=400)["code"] == "not_deletable"
    table.status("ARCHIVED")
    world.delete(f"lookuptables/{table.id}")
    world.get(table.path(table.draft), expect=404)


def test_a_table_goes_with_its_drafts_rows_and_jobs(world: World, table: Table) -> None:
    table.put(EU1)
    copied = world.post(table.data("/copy"))
    table.finished(copied["jobId"])
    world.delete(table.path({"id": copied["revisionId"]}))
    world.delete(f"lookuptables/{table.id}")
    assert world.get("lookuptables")["data"] == []


# --- rows ---------------------------------------------------------------------------------------


def test_rows_are_stored_by_their_key(table: Table) -> None:
    stored = table.put(US1, EU2)
    assert (stored["items"], stored["version"]) == ([US1, EU2], 1)
    assert {"dtCreated", "dtLastModified", "createdBy", "lastModifiedBy"} <= set(stored)
    again = table.put(EU1, {**EU2, "rate": 7, "label": None}, version=1)
    assert again["version"] == 2
    assert table.items() == [EU1, {**EU2, "rate": 7}, US1]  # by key
    assert table.items(limit=1) == [EU1]
    assert (table.get()["itemCount"], table.get()["version"]) == (3, 1)


def test_one_row_is_read_stored_and_deleted_by_its_key(world: World, table: Table) -> None:
    made = world.put(table.data("/eu:1"), {"item": {"rate": 1}})
    assert (made["items"], made["version"]) == ([{"region": "eu", "tier": 1, "rate": 1}], 1)
    world.put(table.data("/eu:1.0"), {"item": EU1, "version": 1})
    assert world.get(table.data("/eu:1"))["items"] == [EU1]
    assert world.get(table.data("/eu:1.00"))["items"] == [EU1]
    assert world.put(table.data("/eu:1"), {"item": EU1, "version": 1}, expect=409)["code"] == "stale_version"
    gone = world.call("DELETE", table.data("/eu:1"), body={"version": 2})
    assert (gone["items"], gone["version"]) == ([EU1], 3)
    assert world.get(table.data("/eu:1"), expect=404)["code"] == "lookup_row_not_found"
    assert world.delete(table.data("/eu:1"), expect=404)["code"] == "lookup_row_not_found"
    for key in ("eu", "eu:one", "eu:1:2"):
        world.get(table.data(f"/{key}"), expect=404)
        refused = world.put(table.data(f"/{key}"), {"item": {"rate": 1}}, expect=400)
        assert codes(refused) == {"lookupKey": "wrong_format"}
    moved = world.put(table.data("/us:1"), {"item": EU1}, expect=400)
    assert codes(moved) == {"item": "wrong_key"}


def test_colons_in_keys_stand_after_a_backslash(world: World, table: Table) -> None:
    odd = {"region": "a:b\\", "tier": 1, "rate": 1}
    table.put(odd)
    assert world.get(table.data("/a%5C:b%5C%5C:1"))["items"] == [odd]
    single = table.revision(keys=["region"])
    table.put(odd, revision=single)
    assert world.get(table.data("/a:b%5C", single))["items"] == [odd]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param({"region": "eu", "rate": 1}, {"tier": "required"}, id="no key"),
        pytest.param({**EU1, "tier": None}, {"tier": "required"}, id="a key that is null"),
        pytest.param({**EU1, "tier": "1"}, {"tier": "wrong_type"}, id="a text for a number"),
        pytest.param({**EU1, "label": 1}, {"label": "wrong_type"}, id="a number for a text"),
        pytest.param({**EU1, "rate": True}, {"rate": "wrong_type"}, id="true for a number"),
        pytest.param({**EU1, "label": {}}, {"label": "wrong_type"}, id="an object"),
        pytest.param({**EU1, "colour": "red"}, {"colour": "unknown_field"}, id="an unknown field"),
        pytest.param({**EU1, "label": "x" * 5001}, {"label": "wrong_length"}, id="a long text"),
        pytest.param({**EU1, "region": "ü" * 1001}, {"": "key_too_long"}, id="a long key"),
        pytest.param({**EU1, "region": "a\x00"}, {"region": "wrong_format"}, id="a NUL character"),
    ],
)
def test_a_row_is_refused(table: Table, item: Any, expected: dict[str, str]) -> None:
    refused = table.put(US1, item, expect=400)
    assert codes(refused) == {f"items[1].{f}" if f else "items[1]": code for f, code in expected.items()}
    single = table.world.put(table.data("/eu:1"), {"item": {**EU1, "rate": "x"}}, expect=400)
    assert codes(single) == {"item.rate": "wrong_type"}
    assert table.items() == []


def test_a_key_stands_once_in_a_request(table: Table) -> None:
    refused = table.put(EU1, US1, {**EU1, "tier": Decimal("1.0")}, expect=400)
    assert codes(refused) == {"items[2]": "duplicate"}


def test_at_most_2000_rows_at_once(world: World, table: Table) -> None:
    rows = [{"region": f"r{i:04}", "tier": 1, "rate": i} for i in range(2001)]
    assert codes(table.put(*rows, expect=400)) == {"items": "wrong_length"}
    table.put(*rows[:2000])
    table.put(rows[2000])
    assert table.get()["itemCount"] == 2001
    assert table.items() == rows[:2000]
    for limit in ("0", "2001", "many"):
        assert codes(world.get(table.data(), expect=400, limit=limit)) == {"limit": "out_of_range"}


def test_rows_of_another_version_are_refused(table: Table) -> None:
    table.put(EU1)
    assert table.put(EU2, expect=409, version=7)["code"] == "stale_version"
    assert table.items() == [EU1]


def test_the_schema_is_frozen_while_there_are_rows(world: World, table: Table) -> None:
    table.put(EU1)
    body = {**table.get(), "name": "Renamed"}
    assert world.put(table.path(table.draft), body)["name"] == "Renamed"
    for changed in (
        {"fields": FIELDS[:3]},
        {"keys": ["tier", "region"]},
        {"fields": [*FIELDS[:3], {"name": "label", "type": "NUMBER"}]},
    ):
        refused = world.put(table.path(table.draft), {**body, "version": 2, **changed}, expect=400)
        assert codes(refused) == {"fields": "schema_frozen"}
    assert world.delete(table.data())["result"] == "1 rows deleted"
    assert table.get()["itemCount"] == 0
    world.put(table.path(table.draft), {**body, "version": 2, "fields": FIELDS[:3]})


def test_a_published_schema_is_frozen_without_rows_too(world: World, table: Table) -> None:
    published = table.status("PUBLISHED")
    refused = world.put(table.path(published), {**published, "keys": ["tier"]}, expect=400)
    assert codes(refused) == {"fields": "schema_frozen"}


@pytest.mark.parametrize("last", ["PUBLISHED", "ARCHIVED"])
def test_rows_change_in_drafts_only(world: World, table: Table, last: str) -> None:
    table.put(EU1)
    table.status("PUBLISHED")
    if last == "ARCHIVED":
        table.status("ARCHIVED")
    upload = {"fileName": "f", "contentType": "text/csv", "contentLength": 1}
    copy_to_it = {"revisionId": table.draft["id"]}
    other = table.revision()
    for refused in (
        table.put(EU2, expect=400),
        world.put(table.data("/eu:1"), {"item": EU1}, expect=400),
        world.delete(table.data("/eu:1"), expect=400),
        world.delete(table.data(), expect=400),
        world.post(table.data("/generateuploadurl"), upload, expect=400),
        world.post(table.data("/copy", other), copy_to_it, expect=400),
    ):
        assert refused["code"] == "lookup_revision_not_draft"
    assert table.items() == [EU1]


# --- copies -------------------------------------------------------------------------------------


def test_a_copy_without_a_target_is_a_new_draft(world: World, table: Table) -> None:
    table.put(EU1, US1)
    table.status("PUBLISHED")
    for copied in (
        world.post(table.data("/copy")),
        world.call("POST", table.data("/copy")),  # clients may send no body
    ):
        target = {"id": copied["revisionId"]}
        job = table.finished(copied["jobId"])
        assert (job["type"], job["status"]) == ("COPY", "SUCCEEDED")
        assert job["destinationLookupTableRevisionId"] == target["id"]
        made = table.get(target)
        assert (made["name"], made["status"], made["itemCount"]) == ("First Copy", "DRAFT", 2)
        assert table.items(target) == [EU1, US1]


def test_a_copy_into_a_draft_of_the_same_schema_replaces_rows_of_the_same_key(
    world: World, table: Table
) -> None:
    table.put(EU1, US1)
    target = table.revision(name="Target")
    table.put({**EU1, "rate": 9}, EU2, revision=target)
    copied = world.post(table.data("/copy"), {"revisionId": target["id"]})
    assert copied["revisionId"] == target["id"]
    assert table.finished(copied["jobId"])["status"] == "SUCCEEDED"
    assert table.items(target) == [EU1, EU2, US1]
    assert world.get(table.data(revision=target))["version"] == 2


def test_a_copy_is_refused(world: World, table: Table) -> None:
    other_schema = table.revision(keys=["tier", "region"])
    foreign = Table(world, "other").draft
    for target, code in ((other_schema, "other_schema"), (table.draft, "not_applicable")):
        refused = world.post(table.data("/copy"), {"revisionId": target["id"]}, expect=400)
        assert codes(refused) == {"revisionId": code}
    world.post(table.data("/copy"), {"revisionId": foreign["id"]}, expect=404)


# --- files --------------------------------------------------------------------------------------

CSV = '\ufeffregion,tier,rate,label\r\neu,1,0.25,"cheap, and\r\n""good"""\r\neu,2,5e-1,\r\nus,1.0,3,\r\n'
JSONL = (
    b'{"region":"eu","tier":1,"rate":0.25,"label":"cheap"}\n\n{"region":"us","tier":1,"rate":3,"label":null}'
)


def test_a_csv_file_is_uploaded(table: Table) -> None:
    table.put({**EU1, "rate": 9}, {"region": "zz", "tier": 1, "rate": 1})
    job = table.upload(CSV.encode())
    assert (job["type"], job["status"], job["fileName"]) == ("UPLOAD", "SUCCEEDED", "rows")
    label = 'cheap, and\r\n"good"'
    assert table.items() == [{**EU1, "label": label}, EU2, US1, {"region": "zz", "tier": 1, "rate": 1}]
    assert table.get()["itemCount"] == 4
    data = table.world.get(table.data())
    assert (data["version"], data["lastModifiedBy"]) == (2, data["createdBy"])


def test_a_jsonl_file_is_uploaded(table: Table) -> None:
    assert table.upload(JSONL, "application/jsonl", version=0)["status"] == "SUCCEEDED"
    assert table.items() == [EU1, US1]


@pytest.mark.parametrize(
    ("content", "content_type", "reason"),
    [
        pytest.param(b"region,tier\neu,one\n", "text/csv", "line 2.tier: must be a number", id="no number"),
        pytest.param(b"region,tier\neu\n", "text/csv", "line 2: has 1 cells", id="a cell too few"),
        pytest.param(b"region,tier\neu,1\neu,1.0\n", "text/csv", "line 3: the key eu:1", id="a key twice"),
        pytest.param(
            b"region,colour\neu,1\n", "text/csv", "line 2.colour: is none of the fields", id="field"
        ),
        pytest.param(b"region\neu\n", "text/csv", "line 2.tier: is required", id="a key missing"),
        pytest.param(b"tier,tier\n1,1\n", "text/csv", "line 1: must name each field once", id="header twice"),
        pytest.param(b"\n", "text/csv", "line 1: must name each field once", id="no header"),
        pytest.param(b'region,tier\n"eu,1\n', "text/csv", "unexpected end of data", id="an open quote"),
        pytest.param(b"region,tier\n\xff,1\n", "text/csv", "utf-8", id="not UTF-8"),
        pytest.param(b"[1]\n", "application/jsonl", "line 1: must be an object", id="no object"),
        pytest.param(
            b'{"region":\n', "application/jsonl", "line 1: The body is not valid JSON", id="no JSON"
        ),
        pytest.param(
            b'{"region":"eu","tier":1e40}\n',
            "application/jsonl",
            "line 1.tier: must have at most",
            id="large",
        ),
    ],
)
def test_a_file_with_a_fault_is_refused_whole(
    table: Table, content: bytes, content_type: str, reason: str
) -> None:
    table.put(EU1)
    job = table.upload(content, content_type)
    assert job["status"] == "FAILED"
    assert reason in job["failureReason"]
    assert table.items() == [EU1]


def test_a_fault_late_in_a_long_file_leaves_nothing_of_it(table: Table) -> None:
    lines = "".join(f"r{i},1,{i}\n" for i in range(12_000))
    good = f"region,tier,rate\n{lines}".encode()
    assert table.upload(good + b"late,one,1\n")["status"] == "FAILED"
    assert table.get()["itemCount"] == 0
    assert table.upload(good)["status"] == "SUCCEEDED"
    assert table.get()["itemCount"] == 12_000


def test_a_file_that_comes_too_late_is_refused(world: World, table: Table) -> None:
    body = {"fileName": "f", "contentType": "text/csv", "contentLength": 12}
    link = world.post(table.data("/generateuploadurl"), body)
    table.status("PUBLISHED")
    assert httpx.put(link["url"], content=b"region,tier\n").status_code == 200
    job = table.finished(link["jobId"])
    assert (job["status"], "rows change in a draft only" in job["failureReason"]) == ("FAILED", True)


def test_an_upload_link_works_once_for_a_minute_and_for_that_file(world: World, table: Table) -> None:
    body = {"fileName": "f", "contentType": "text/csv", "contentLength": 12}
    link = world.post(table.data("/generateuploadurl"), body)
    assert link["headers"] == {"Content-Type": "text/csv"}
    url, content = link["url"], b"region,tier\n"
    for wrong in (content[:-1], content + b"x", b""):
        refused = httpx.put(url, content=wrong)
        assert (refused.status_code, refused.json()["code"]) == (400, "upload_incomplete")
    refused = httpx.put(url.replace("signature=", "signature=0"), content=content)
    assert (refused.status_code, refused.json()["code"]) == (403, "bad_signature")
    assert table.job(link["jobId"])["status"] == "PENDING"
    assert httpx.put(url, content=content).json() == {"jobId": link["jobId"]}
    again = httpx.put(url, content=content)
    assert (again.status_code, again.json()["code"]) == (409, "lookup_upload_not_awaited")
    late = world.post(table.data("/generateuploadurl"), body)
    world.at("2025-06-01T00:01:00")
    refused = httpx.put(late["url"], content=content)
    assert (refused.status_code, refused.json()["code"]) == (403, "link_expired")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"fileName": ""}, {"fileName": "wrong_length"}, id="no name"),
        pytest.param({"fileName": "f" * 101}, {"fileName": "wrong_length"}, id="a long name"),
        pytest.param({"contentType": "text/html"}, {"contentType": "unknown_value"}, id="another form"),
        pytest.param({"contentLength": 0}, {"contentLength": "out_of_range"}, id="nothing"),
        pytest.param({"contentLength": 104_857_601}, {"contentLength": "out_of_range"}, id="over 100 MiB"),
        pytest.param({"contentLength": None}, {"contentLength": "required"}, id="of unknown length"),
    ],
)
def test_an_upload_is_refused(table: Table, changed: dict[str, Any], expected: dict[str, str]) -> None:
    body = {"fileName": "f", "contentType": "text/csv", "contentLength": 1, **changed}
    assert codes(table.world.post(table.data("/generateuploadurl"), body, expect=400)) == expected


def test_an_upload_of_another_version_is_refused(table: Table) -> None:
    table.put(EU1)
    body = {"fileName": "f", "contentType": "text/csv", "contentLength": 1, "version": 7}
    refused = table.world.post(table.data("/generateuploadurl"), body, expect=409)
    assert refused["code"] == "stale_version"


def test_rows_are_downloaded_in_both_forms(world: World, table: Table) -> None:
    table.put({**EU1, "label": 'a,"b"\nc'}, EU2)
    expected = {
        "text/csv": 'region,tier,rate,label\neu,1,0.25,"a,""b""\nc"\neu,2,0.5,\n',
        "application/jsonl": '{"region":"eu","tier":1,"rate":0.25,"label":"a,\\"b\\"\\nc"}\n'
        '{"region":"eu","tier":2,"rate":0.5}\n',
    }
    for content_type, content in expected.items():
        started = world.post(table.data("/jobs/download"), {"contentType": content_type})
        job = table.finished(started["jobId"])
        assert (job["type"], job["status"]) == ("DOWNLOAD", "SUCCEEDED")
        assert second(job["downloadUrlExpiry"]) == "2025-06-01T01:00:00Z"
        got = httpx.get(job["downloadUrl"])
        assert (got.status_code, got.text) == (200, content)
        assert got.headers["content-type"].startswith(content_type)
        assert httpx.get(job["downloadUrl"][:-1]).json()["code"] == "bad_signature"
    jobs = world.get(table.data("/jobs"), pageSize=1)
    assert [j["id"] for j in jobs["data"]] == [job["id"]]
    assert "nextToken" in jobs
    # What was downloaded can be uploaded.
    world.delete(table.data())
    assert table.upload(expected["text/csv"].encode())["status"] == "SUCCEEDED"
    assert table.items() == [{**EU1, "label": 'a,"b"\nc'}, EU2]
    world.delete(table.data(f"/jobs/{job['id']}"))
    world.get(table.data(f"/jobs/{job['id']}"), expect=404)
    gone = httpx.get(job["downloadUrl"])
    assert (gone.status_code, gone.json()["code"]) == (404, "lookup_file_not_found")
    world.at("2025-06-01T01:00:00")
    assert httpx.get(job["downloadUrl"]).json()["code"] == "link_expired"


def test_a_download_in_another_form_is_refused(world: World, table: Table) -> None:
    for path in ("/jobs/download", "/archived"):
        refused = world.post(table.data(path), {"contentType": "text/html"}, expect=400)
        assert codes(refused) == {"contentType": "unknown_value"}


def test_a_job_that_is_deleted_never_runs(world: World, table: Table) -> None:
    body = {"fileName": "f", "contentType": "text/csv", "contentLength": 12}
    link = world.post(table.data("/generateuploadurl"), body)
    assert world.delete(table.data(f"/jobs/{link['jobId']}"))["status"] == "PENDING"
    assert httpx.put(link["url"], content=b"region,tier\n").status_code == 404
    other = table.revision()
    started = world.post(table.data("/jobs/download"), {"contentType": "text/csv"})
    world.get(table.data(f"/jobs/{started['jobId']}", other), expect=404)


def test_archived_rows_are_downloaded_for_an_hour(world: World, table: Table) -> None:
    table.put(EU1)
    refused = world.post(table.data("/archived"), {"contentType": "text/csv"}, expect=400)
    assert refused["code"] == "lookup_revision_not_archived"
    table.status("PUBLISHED")
    table.status("ARCHIVED")
    archive = world.post(table.data("/archived"), {"contentType": "text/csv"})
    assert second(archive["expiry"]) == "2025-06-01T01:00:00Z"
    assert httpx.get(archive["url"]).text == "region,tier,rate,label\neu,1,0.25,cheap\n"
    world.at("2025-06-01T01:00:00")
    assert httpx.get(archive["url"]).json()["code"] == "link_expired"


# --- looking up ---------------------------------------------------------------------------------


def test_what_is_published_is_found(live: Live, world: World, table: Table) -> None:
    table.put(EU1, EU2)
    assert table.find(live, "rate", "eu", Decimal(1)) is None  # nothing is published yet
    table.status("PUBLISHED")
    assert table.find(live, "rate", "eu", Decimal("1.0")) == Decimal("0.25")
    assert table.find(live, "label", "eu", Decimal(1)) == "cheap"
    assert table.find(live, "label", "eu", Decimal(2)) is None
    none: list[list[Any]] = [["us", Decimal(1)], ["eu", "1"], [Decimal(1), Decimal(1)], ["eu", True]]
    for keys in none:
        assert table.find(live, "rate", *keys) is None
    with pytest.raises(CalculationError, match="no field colour"):
        table.find(live, "colour", "eu", Decimal(1))
    with pytest.raises(CalculationError, match="2 keys, not 1"):
        table.find(live, "rate", "eu")
    with pytest.raises(CalculationError, match="no lookup table nowhere"):
        live.platform.lookups.find(live.platform.database, world.org_id, "nowhere", "rate", ["eu"])


def test_a_change_is_found_at_once(live: Live, world: World, table: Table) -> None:
    table.put(EU1)
    table.status("PUBLISHED")
    assert table.find(live, "rate", "eu", Decimal(1)) == Decimal("0.25")
    second = table.revision(startDate="2099-01-01T00:00:00Z")  # for people only (semantics §12)
    table.put({**EU1, "rate": 2}, revision=second)
    batch = live.platform.lookups.of(live.platform.database, world.org_id)
    assert batch.find("rates", ["eu", Decimal(1)]) == EU1
    table.status("PUBLISHED", second)
    assert table.find(live, "rate", "eu", Decimal(1)) == 2
    assert batch.find("rates", ["eu", Decimal(1)]) == EU1  # one batch sees one revision
    table.status("ARCHIVED", second)
    assert table.find(live, "rate", "eu", Decimal(1)) is None
    path = f"lookuptables/{table.id}"
    world.put(path, {"name": "Moved", "code": "moved", "version": 1})
    with pytest.raises(CalculationError, match="no lookup table rates"):
        table.find(live, "rate", "eu", Decimal(1))
    stranger = World(live)
    with pytest.raises(CalculationError, match="no lookup table moved"):
        live.platform.lookups.find(
            live.platform.database, stranger.org_id, "moved", "rate", ["eu", Decimal(1)]
        )
    stranger.close()


def test_large_revisions_are_found_row_by_row(
    live: Live, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_find, "WHOLE_UP_TO", 2)
    monkeypatch.setattr(lookup_find, "MOST_ROWS", 2)
    table.put(EU1, EU2, US1)
    table.status("PUBLISHED")
    for _ in range(2):
        for row in (EU1, EU2, US1):
            assert table.find(live, "rate", row["region"], Decimal(row["tier"])) == row["rate"]
        assert table.find(live, "rate", "mars", Decimal(1)) is None


# --- calculations -------------------------------------------------------------------------------


def compound(world: World, calculation: str, *, expect: int = 200) -> Any:
    body = {
        "name": "Looked up",
        "calculation": calculation,
        "rounding": "NONE",
        "quantityPerUnit": 1,
        "unit": "mi",
    }
    return world.post("compoundaggregations", body, expect=expect)


def test_a_calculation_looks_up_what_there_is(world: World, table: Table) -> None:
    find = "Lookup.findNumber('{}', '{}', 0, {})"
    unknown = compound(world, find.format("none", "rate", "'eu', 1"), expect=400)
    assert codes(unknown) == {"calculation": "unknown_lookup_table"}
    early = compound(world, find.format("rates", "anything", "1"))  # its revision is still to come
    world.delete(f"compoundaggregations/{early['id']}")
    table.status("PUBLISHED")
    for field, keys, code in (("colour", "'eu', 1", "unknown_field"), ("rate", "'eu'", "wrong_keys")):
        refused = compound(world, find.format("rates", field, keys), expect=400)
        assert codes(refused) == {"calculation": code}
    compound(world, find.format("rates", "rate", "'eu', 1"))
    compound(world, "Lookup.exists('rates', 'eu', 1) ? 1 : 0")


def test_a_table_that_a_calculation_names_stays_and_keeps_its_code(world: World, table: Table) -> None:
    named = compound(world, "Lookup.exists('rates', 'eu', 1) ? 1 : 0")
    path = f"lookuptables/{table.id}"
    refused = world.delete(path, expect=400)
    assert (refused["code"], codes(refused)) == ("not_deletable", {"code": "code_in_use"})
    moved = world.put(path, {"name": "Moved", "code": "moved", "version": 1}, expect=400)
    assert codes(moved) == {"code": "code_in_use"}
    world.put(path, {"name": "Renamed", "code": "rates", "version": 1})
    world.delete(f"compoundaggregations/{named['id']}")
    world.delete(path)
