"""A file on its way in is there when it is whole, and otherwise not at all."""

from pathlib import Path

import pytest

from tallystick.platform.files import Draft, Folder
from tallystick.platform.incoming import AnnouncedSize, IncomingFile, UploadIncomplete


def incoming(files: Folder, size_bytes: int, answers: list[str]) -> IncomingFile:
    def keep(draft: Draft) -> str:
        draft.keep()
        answers.append("kept")
        return "answer"

    return IncomingFile(AnnouncedSize(size_bytes), files.draft("deep/rows.csv"), keep)


def test_a_whole_file_is_kept(tmp_path: Path) -> None:
    answers: list[str] = []
    file = incoming(Folder(tmp_path), 5, answers)
    file.write(b"abc")
    assert not (tmp_path / "deep" / "rows.csv").exists()
    file.write(b"de")
    assert file.finish() == "answer"
    assert answers == ["kept"]
    assert (tmp_path / "deep" / "rows.csv").read_bytes() == b"abcde"
    file.abandon()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["rows.csv"]


def test_a_file_of_another_size_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    answers: list[str] = []
    files = Folder(tmp_path)
    short, long = incoming(files, 5, answers), incoming(files, 5, answers)
    short.write(b"abcd")
    with pytest.raises(UploadIncomplete, match="4 bytes came, and 5 were announced"):
        short.finish()
    with pytest.raises(UploadIncomplete, match="larger than the 5 bytes"):
        long.write(b"abcdef")
    short.abandon()
    long.abandon()
    assert answers == []
    assert list((tmp_path / "deep").iterdir()) == []
