"""A file is whole or it is not there."""

from pathlib import Path

import pytest

from tallystick.platform.files import FileNotKept, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "files")


def test_a_kept_file_can_be_read_and_replaced(folder: Folder) -> None:
    for body in (b"one", b"another"):
        draft = folder.draft("uploads/a")
        draft.write(body[:2])
        draft.write(body[2:])
        draft.keep()
        draft.drop()
        assert folder.path("uploads/a").read_bytes() == body
    folder.delete("uploads/a")
    folder.delete("uploads/a")
    with pytest.raises(FileNotKept):
        folder.path("uploads/a")


def test_a_file_that_is_not_kept_leaves_nothing(folder: Folder, tmp_path: Path) -> None:
    draft = folder.draft("uploads/a")
    draft.write(b"one")
    with pytest.raises(FileNotKept):
        folder.path("uploads/a")
    draft.drop()
    draft.write(b"late")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_process_left_is_swept_away(folder: Folder, tmp_path: Path) -> None:
    kept = folder.draft("uploads/a")
    kept.keep()
    folder.draft("uploads/b").write(b"x" * 100_000)
    Folder(tmp_path / "files")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a"]
