"""What the package declares keeps its shape, and each check finds the fault it is for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from tallystick.kernel.errors import Invalid, TallystickError
from tallystick.platform.database import metadata
from tests.structure import shape
from tests.structure.source import SRC, TOP, import_every_module

WITHOUT_ORGANIZATION: dict[str, str] = {
    "usage_groups": "one insert holds usage of several organizations; only hashes of uids stand in it",
}
"Tables without org_id, each with its reason."

NO_DOMAINS = {"kernel", "calc", "rating", "platform", "api", "console", "cli", "worker", "migrations"}


@pytest.fixture(scope="module", autouse=True)
def _everything() -> None:
    import_every_module()


def report(findings: Iterator[str]) -> None:
    lines = list(findings)
    assert not lines, "\n" + "\n".join(lines)


def test_every_table_has_its_organization() -> None:
    assert metadata.sorted_tables
    assert set(metadata.tables) >= set(WITHOUT_ORGANIZATION), "an exception for a table that is gone"
    report(shape.tables_without_organization(metadata, WITHOUT_ORGANIZATION))


def test_error_codes_are_unique_and_documented() -> None:
    documented = shape.documented_codes((TOP / "docs" / "errors.md").read_text("utf-8"))
    report(shape.code_faults(shape.error_classes(), documented))


def test_documented_errors_exist() -> None:
    documented = shape.documented_codes((TOP / "docs" / "errors.md").read_text("utf-8"))
    gone = set(documented) - {cls.code for cls in shape.error_classes()}
    assert not gone, (
        f"docs/errors.md lists codes that nothing raises; take them out of the table: {sorted(gone)}"
    )


def test_every_domain_says_what_it_owns() -> None:
    folders = sorted(path.parent for path in SRC.glob("*/__init__.py") if path.parent.name not in NO_DOMAINS)
    assert folders
    report(fault for folder in folders for fault in shape.readme_faults(folder))


def test_finds_a_table_without_its_organization() -> None:
    metadata = MetaData()
    Table("loose", metadata, Column("id", Integer))
    Table("leaky", metadata, Column("org_id", Integer, nullable=True))
    Table("known", metadata, Column("id", Integer))
    found = list(shape.tables_without_organization(metadata, {"known": "a reason"}))
    assert [line.partition(":")[0] for line in found] == ["leaky", "loose"]


def test_finds_faulty_error_codes() -> None:
    class Nameless(Invalid):
        pass

    class Loud(Invalid):
        code = "LoudCode"

    class Twin(Invalid):
        code = "twin"

    class OtherTwin(Invalid):
        code = "twin"

    class Kindless(TallystickError):
        code = "kindless"

    classes = [Nameless, Loud, Twin, OtherTwin, Kindless]
    found = "\n".join(shape.code_faults(classes, {"LoudCode": 400, "twin": 409}))
    assert "Nameless: no code of its own" in found
    assert "'LoudCode' is not snake_case" in found
    assert "docs/errors.md says 409 for `twin`, its kind is 400" in found
    assert "twin: shared by" in found
    assert "Kindless: of no kind" in found
    assert "`twin` is not in docs/errors.md" in "\n".join(shape.code_faults([Twin], {}))


def test_finds_an_incomplete_readme(tmp_path: Path) -> None:
    assert len(list(shape.readme_faults(tmp_path))) == 1
    (tmp_path / "README.md").write_text("# Usage\n## Owns\n## Does not own\n## Time\n")
    assert ["Invariants" in line for line in shape.readme_faults(tmp_path)] == [True]
    (tmp_path / "README.md").write_text("## Owns\n## Does not own\n## Invariants\n## Time\n")
    assert list(shape.readme_faults(tmp_path)) == []
