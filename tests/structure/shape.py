"""Checks of what the imported package declares: tables, routes, error codes, domain folders."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from sqlalchemy import MetaData

from tallystick.api.errors import status_of
from tallystick.kernel.errors import TallystickError

README_HEADINGS = ("Owns", "Does not own", "Invariants", "Time")
NO_KIND = 500
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class Route(Protocol):
    """What `tallystick.api.routes.all_routes()` tells of a route."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        ...

    @property
    def path(self) -> str:
        """The path template, `/organizations/{orgId}/…`."""
        ...

    @property
    def permission(self) -> object | None:
        """What the caller must be allowed to do; None is for everyone."""
        ...


def tables_without_organization(metadata: MetaData, allowed: Mapping[str, str]) -> Iterator[str]:
    """Find tables whose org_id is missing or may be null; `allowed` maps the exceptions to their reasons."""
    for table in metadata.sorted_tables:
        if table.name in allowed:
            continue
        if "org_id" not in table.c:
            yield f"{table.name}: no org_id; add the column, or a reason to WITHOUT_ORGANIZATION"
        elif table.c.org_id.nullable:
            yield f"{table.name}: org_id may be null; such a row escapes row-level security"


def routes_without_permission(
    routes: Iterable[Route], public: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    """Find routes that name no permission; `public` maps the exceptions to their reasons."""
    for route in routes:
        if not route.permission and (route.method.upper(), route.path) not in public:
            yield f"{route.method} {route.path}: no permission; name one, or give a reason in PUBLIC"


def error_classes(base: type[TallystickError] = TallystickError) -> Iterator[type[TallystickError]]:
    """List every kind and every error of the package that has been imported."""
    for cls in base.__subclasses__():
        if cls.__module__.startswith("tallystick."):
            yield cls
        yield from error_classes(cls)


def code_faults(classes: Iterable[type[TallystickError]], documented: Mapping[str, int]) -> Iterator[str]:
    """Find codes that are not their class's own, not unique, or not documented with their kind's status."""
    owners: dict[str, set[str]] = defaultdict(set)
    for cls in classes:
        name = f"{cls.__module__}.{cls.__qualname__}"
        if "code" not in vars(cls):
            yield f"{name}: no code of its own; give it one (it is public: never renamed, never reused)"
            continue
        owners[cls.code].add(name)
        if not SNAKE_CASE.fullmatch(cls.code):
            yield f"{name}: {cls.code!r} is not snake_case"
        status = status_of(cls.__new__(cls))
        if status == NO_KIND:
            yield f"{name}: of no kind; subclass Invalid, NotFound, Conflict … of kernel/errors.py"
        elif cls.code not in documented:
            row = f"| `{cls.code}` | {status} | what to do |"
            yield f"{name}: `{cls.code}` is not in docs/errors.md; add {row}"
        elif documented[cls.code] != status:
            yield f"{name}: docs/errors.md says {documented[cls.code]} for `{cls.code}`, its kind is {status}"
    for code, names in owners.items():
        if len(names) > 1:
            yield f"{code}: shared by {', '.join(sorted(names))}; a caller could not tell them apart"


def documented_codes(text: str) -> dict[str, int]:
    """Read the table of docs/errors.md: code → status."""
    return {
        code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d{3}) \| \S", text, re.MULTILINE)
    }


def readme_faults(folder: Path) -> Iterator[str]:
    """Read a domain's README.md: it has the four headings."""
    readme = folder / "README.md"
    if not readme.is_file():
        yield f"{folder.name}: no README.md; write one screen with the headings {', '.join(README_HEADINGS)}"
        return
    headings = re.findall(r"^#+\s+(.+?)\s*$", readme.read_text("utf-8"), re.MULTILINE)
    for heading in README_HEADINGS:
        if heading not in headings:
            yield f"{folder.name}/README.md: no heading '{heading}'; docs/development.md says what it is for"
