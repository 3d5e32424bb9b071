"""Usage told apart for statements, on both transports."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tallystick.kernel.errors import InvariantBroken
from tallystick.kernel.periods import Period
from tallystick.rating.method import Method
from tallystick.usage.store.blocks import make_block
from tallystick.usage.store.breakdown import Asked, Breakdown, Cell, Told
from tallystick.usage.store.model import ANY, Away, Slot, UsageQuery
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.unit.usage_store.blocks import ACCOUNT, MARCH, METER, send

D = Decimal
NUMBER, TEXT, OTHER = Slot.number(0), Slot.text(0), Slot.text(29)
DAYS = tuple(Period(MARCH + timedelta(days=n), MARCH + timedelta(days=n + 1)) for n in range(3))
SUM, MAX = Asked(Method.SUM, NUMBER), Asked(Method.MAX, NUMBER)
Row = tuple[int, str | None, str | None, str | None]


def keep(writer: GroupedWriter, org: str, *rows: Row) -> None:
    """Store rows of (day, number, text, other text)."""
    block = make_block(
        org_id=org,
        meter_ids=[METER] * len(rows),
        account_ids=[ACCOUNT] * len(rows),
        ts=[MARCH + timedelta(days=day) for day, *_ in rows],
        uids=[str(uuid4()) for _ in rows],
        fields={
            NUMBER: [None if number is None else D(number) for _, number, _, _ in rows],
            TEXT: [text for _, _, text, _ in rows],
            OTHER: [text for _, _, _, text in rows],
        },
    )
    send(writer, block)


def ask(store: UsageStore, org: str, **more: Any) -> list[Cell]:
    asked = {
        "meter_id": METER,
        "account_ids": (ACCOUNT,),
        "windows": DAYS,
        "figures": (SUM,),
        "limit": 100,
        **more,
    }
    return store.breakdown(org, Breakdown(**asked))


def test_by_windows_and_texts_in_order(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    keep(
        writer,
        org,
        (0, "1", "b", "x"),
        (0, "2", "a", "y"),
        (0, "4", None, "x"),
        (2, "8", "a", "x"),
        (2, "16", "a", "y"),
        (3, "32", "a", "x"),  # behind the last window
    )
    found = ask(store, org, told=(Told(TEXT),), figures=(SUM, MAX, Asked(Method.UNIQUE, OTHER)))
    assert found == [
        Cell(0, ("a",), (D(2), D(2), D(1)), (1, 1, 1)),
        Cell(0, ("b",), (D(1), D(1), D(1)), (1, 1, 1)),
        Cell(0, (None,), (D(4), D(4), D(1)), (1, 1, 1)),
        Cell(2, ("a",), (D(24), D(16), D(2)), (2, 2, 2)),
    ]
    assert ask(store, org, windows=(Period(MARCH, MARCH + timedelta(days=9)),)) == [
        Cell(0, (), (D(63),), (6,))
    ]
    assert len(ask(store, org, told=(Told(TEXT),), limit=2)) == 2
    away = (Away(ACCOUNT, DAYS[2]),)  # as a child with a plan of its own (semantics §17)
    assert ask(store, org, filters=away) == [Cell(0, (), (D(7),), (3,))]
    other = str(UUID(int=99))
    assert ask(store, org, account_ids=(other,)) == []
    assert ask(store, str(uuid4())) == []


def test_values_that_are_not_named_share_a_row(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    keep(writer, org, (0, "1", "it's", "x"), (0, "2", "b", "y"), (0, "4", None, "z"), (0, "8", "it's", None))
    own = Told(TEXT, ("it's", "nobody"))
    found = ask(store, org, told=(own, Told(OTHER, own.values, TEXT)))
    assert found == [
        Cell(0, (ANY, ANY), (D(6),), (2,)),
        Cell(0, ("it's", "x"), (D(1),), (1,)),
        Cell(0, ("it's", None), (D(8),), (1,)),
    ]
    for texts in ({TEXT: "it's", OTHER: "x"}, {TEXT: None, OTHER: "z"}, {TEXT: "it's", OTHER: None}):
        assert (own.text(texts), Told(OTHER, own.values, TEXT).text(texts)) in {c.texts for c in found}


def test_in_a_segment(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    keep(writer, org, (0, "1", "a", "x"), (0, "2", "b", "x"), (1, "4", "b", "y"), (0, None, "b", "x"))
    segments = ({TEXT: "a"}, {TEXT: ANY})
    assert ask(store, org, segments=segments, segment=1, told=(Told(OTHER),)) == [
        Cell(0, ("x",), (D(2),), (1,)),
        Cell(1, ("y",), (D(4),), (1,)),
    ]


def test_time_weights_in_a_segment_by_texts(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    keep(writer, org, (0, "1", "a", "x"), (0, "2", "b", "x"), (1, "5", "b", "y"))
    query = UsageQuery(
        meter_id=METER,
        method=Method.TIME_WEIGHTED,
        field=NUMBER,
        windows=DAYS[:2],
        segments=({TEXT: "a"}, {TEXT: ANY}),
        group_by=(OTHER,),
        per_account=False,
    )
    found = {(u.segment, u.window, u.group): u.value for u in store.aggregate(org, query)}
    day = D(24)  # hours
    assert found == {
        (0, 0, ("x",)): day,
        (0, 1, ("x",)): day,
        (1, 0, ("x",)): 2 * day,
        (1, 1, ("x",)): 2 * day,
        (1, 1, ("y",)): 5 * day,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"windows": ()}, id="no window"),
        pytest.param({"figures": ()}, id="no figure"),
        pytest.param({"told": (Told(NUMBER),)}, id="told apart by a number"),
        pytest.param({"figures": (Asked(Method.TIME_WEIGHTED, NUMBER),)}, id="time weights"),
        pytest.param({"figures": (Asked(Method.SUM, TEXT),)}, id="the sum of texts"),
    ],
)
def test_senseless_questions_crash(store: UsageStore, org: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvariantBroken):
        ask(store, org, **wrong)


def test_instants_far_away(store: UsageStore, org: str) -> None:
    ages = Period(datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 1, 1, tzinfo=UTC))
    assert ask(store, org, windows=(ages,)) == []
