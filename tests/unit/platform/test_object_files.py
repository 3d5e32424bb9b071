"""Files elsewhere behave as files in the folder do: whole or not there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.platform.clock import SystemClock
from tallystick.platform.files import FileNotKept
from tallystick.platform.object_files import FilesUnavailable, ObjectFiles, open_store
from tests.support.objects import REGION, make_bucket, objects, s3_server


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, s3_server(patch) as url:
        make_bucket(url, "kept")
        yield url


@pytest.fixture
def files(s3: str, tmp_path: Path) -> ObjectFiles:
    return ObjectFiles(
        open_store(f"s3://kept/home?endpoint={s3}&region={REGION}"), tmp_path / "copies", SystemClock()
    )


def test_a_kept_file_can_be_read_and_replaced(files: ObjectFiles, s3: str) -> None:
    for body in (b"one", b"another"):
        draft = files.draft("uploads/a.csv")
        draft.write(body[:2])
        draft.write(body[2:])
        draft.keep()
        draft.drop()
        path = files.path("uploads/a.csv")
        assert path.read_bytes() == body
        assert path.name == "a.csv"
    assert objects(s3, "kept") == {"home/uploads/a.csv": b"another"}
    files.delete("uploads/a.csv")
    files.delete("uploads/a.csv")
    with pytest.raises(FileNotKept):
        files.path("uploads/a.csv")


def test_a_large_file_goes_and_comes_in_parts(files: ObjectFiles) -> None:
    body = os.urandom(11_000_000)
    draft = files.draft("exports/large")
    for at in range(0, len(body), 1_000_000):
        draft.write(body[at : at + 1_000_000])
    draft.keep()
    assert files.path("exports/large").read_bytes() == body
    files.delete("exports/large")


def test_a_dropped_draft_leaves_nothing(files: ObjectFiles, s3: str, tmp_path: Path) -> None:
    draft = files.draft("uploads/b")
    draft.write(b"one")
    with pytest.raises(FileNotKept):
        files.path("uploads/b")
    draft.drop()
    draft.write(b"late")
    assert objects(s3, "kept") == {}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_copies_unused_for_longest_make_room(s3: str, tmp_path: Path) -> None:
    store = open_store(f"s3://kept/room?endpoint={s3}&region={REGION}")
    files = ObjectFiles(store, tmp_path, SystemClock(), limit_bytes=15)
    for name in ("old", "recent", "new"):
        draft = files.draft(name)
        draft.write(b"0123456789")
        draft.keep()
    old, recent = files.path("old"), files.path("recent")
    os.utime(old, (0, 0))
    new = files.path("new")
    assert [path.exists() for path in (old, recent, new)] == [False, True, True]
    assert files.path("old").read_bytes() == b"0123456789"


def test_a_store_out_of_reach_is_unavailable(tmp_path: Path) -> None:
    store = open_store(f"s3://kept/x?endpoint=http://127.0.0.1:9&region={REGION}")
    with pytest.raises(FilesUnavailable):
        ObjectFiles(store, tmp_path, SystemClock()).path("a")
