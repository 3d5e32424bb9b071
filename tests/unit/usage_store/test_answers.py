"""What ClickHouse answers arrives as it was sent, on both transports."""

import threading

import pytest

from tallystick.platform.clickhouse.errors import ClickHouseRefused
from tallystick.platform.clickhouse.transport import ClickHouse, Lane

ROWS = 7000  # some 100 KB: of this size the engine soon gives freed memory to somebody else
SQL = "SELECT number AS n, toDecimal128(number, 12) AS d, hex(number) AS h FROM numbers(7000)"
BUSY = "SELECT number % 5000 AS k, sum(toDecimal128(number, 12)) AS s FROM numbers_mt(200000) GROUP BY k"


def test_a_failure_leaves_nothing_in_the_next_answer(clickhouse: ClickHouse) -> None:
    """ChDB puts what a failed query had written before the next answer of the same connection."""
    for _ in range(5):
        with pytest.raises(ClickHouseRefused):
            clickhouse.read("SELECT throwIf(number = 1) AS failed FROM numbers(3)")
        assert clickhouse.read("SELECT 1 AS one").to_pydict() == {"one": [1]}


def test_answers_arrive_whole_while_others_are_asked(clickhouse: ClickHouse) -> None:
    """ChDB frees an answer's bytes with its handle: of those read any later, one in twenty was garbage."""
    done = threading.Event()

    def ask_others() -> None:
        while not done.is_set():
            clickhouse.read(BUSY, lane=Lane.SCAN)

    others = threading.Thread(target=ask_others)
    others.start()
    try:
        for _ in range(100):
            answer = clickhouse.read(SQL)
            assert answer["n"].to_pylist() == list(range(ROWS))
            assert str(answer["d"][ROWS - 1]) == "6999.000000000000"
    finally:
        done.set()
        others.join()
