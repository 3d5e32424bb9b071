"""Files of rows: CSV with a line of field names, or one JSON object a line."""

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallystick.catalogue.errors import LookupFileNotFound
from tallystick.catalogue.lookup_job import ContentType
from tallystick.catalogue.lookup_rows import Item, RowSchema, number_text, value_of
from tallystick.kernel.errors import Invalid
from tallystick.kernel.problems import Problem
from tallystick.platform.files import Draft, FileNotKept, Files
from tallystick.platform.resources.wire import MalformedJson, encode, parse, reader

MOST_PROBLEMS = 5
_NAME = re.compile(r"[0-9a-f-]{36}\.(?:csv|jsonl)")
_Line = tuple[int, Any]


class LookupFileRefused(Invalid):
    """An uploaded file has lines that are no rows; none of it is stored."""

    code = "lookup_file_refused"


@dataclass(frozen=True)
class LookupFiles:
    """The files of rows among all files, by organization."""

    files: Files

    def path(self, org_id: str, name: str) -> Path:
        """Give where a file can be read. Raises LookupFileNotFound."""
        try:
            return self.files.path(_key(org_id, name))
        except FileNotKept:
            raise LookupFileNotFound("This file is gone: what it belonged to was deleted.") from None

    def draft(self, org_id: str, name: str) -> Draft:
        """Begin to write a file. Raises LookupFileNotFound for what is no name of ours."""
        return self.files.draft(_key(org_id, name))

    def delete(self, org_id: str, name: str) -> None:
        """Delete a file, if it is there."""
        self.files.delete(_key(org_id, name))

    def write(self, org_id: str, name: str, schema: RowSchema, rows: Iterable[Item]) -> None:
        """Write rows, in the form that the name's ending says; another file of this name is replaced."""
        draft = self.draft(org_id, name)  # several may write the same file at once
        try:
            if name.endswith(".csv"):
                writer = csv.writer(_Utf8(draft), lineterminator="\n")
                writer.writerow(schema.types)
                writer.writerows([_cell(row.get(name)) for name in schema.types] for row in rows)
            else:
                for row in rows:
                    draft.write(encode(schema.in_order(row)) + b"\n")
            draft.keep()
        finally:
            draft.drop()


class _Utf8:
    """A draft that takes text."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def write(self, text: str) -> None:
        self._draft.write(text.encode())


def _key(org_id: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise LookupFileNotFound("There is no such file.")
    return f"lookuptables/{org_id}/{name}"


def read_rows(path: Path, content_type: ContentType, schema: RowSchema) -> Iterator[tuple[str, Item]]:
    """Read the rows of a file with their keys, a line at a time. Raises LookupFileRefused."""
    problems: list[Problem] = []
    seen: set[bytes] = set()
    lines = (
        _csv_lines(path, schema, problems) if content_type is ContentType.CSV else _json_lines(path, problems)
    )
    read_members = reader(dict[str, Any | None])
    for number, raw in lines:
        where, faults = f"line {number}", len(problems)
        members = read_members(raw, where, problems)
        if len(problems) == faults:
            key, item = schema.read_item(members, where, problems)
            mark = hashlib.blake2b(key.encode(), digest_size=16).digest()
            if len(problems) == faults and mark in seen:
                problems.append(Problem(where, "duplicate", f"the key {key} stands twice in the file"))
            seen.add(mark)
            if not problems:
                yield key, item
        if len(problems) >= MOST_PROBLEMS:
            break
    if problems:
        raise LookupFileRefused("; ".join(f"{p.field}: {p.message}" for p in problems[:MOST_PROBLEMS]))


def _json_lines(path: Path, problems: list[Problem]) -> Iterator[_Line]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                raw = parse(line)
            except MalformedJson as error:
                problems.append(Problem(f"line {number}", "malformed_json", error.message))
                continue
            yield number, raw


def _csv_lines(path: Path, schema: RowSchema, problems: list[Problem]) -> Iterator[_Line]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, strict=True)
        try:
            names = next(lines, [])
            if len(set(names)) != len(names) or not names:
                problems.append(Problem("line 1", "wrong_header", "must name each field once"))
                return
            for cells in lines:
                if cells:
                    yield lines.line_num, _members(names, cells, schema, lines.line_num, problems)
        except (csv.Error, UnicodeDecodeError) as error:
            problems.append(Problem(f"line {lines.line_num + 1}", "malformed_csv", str(error)))


def _members(
    names: list[str], cells: list[str], schema: RowSchema, number: int, problems: list[Problem]
) -> dict[str, Any]:
    """Give a line's cells by field; an empty one is not given."""
    if len(cells) != len(names):
        message = f"has {len(cells)} cells, and the first line names {len(names)} fields"
        problems.append(Problem(f"line {number}", "wrong_length", message))
        return {}
    members: dict[str, Any] = {}
    for name, cell in zip(names, cells, strict=True):
        if cell:
            kind = schema.types.get(name)
            value = value_of(kind, cell) if kind else cell
            members[name] = cell if value is None else value
    return members


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return number_text(value)
