"""What ClickHouse answers arrives as it was sent, on both transports."""

from tallystick.platform.clickhouse.transport import ClickHouse

LAST = 99_999
SQL = "SELECT number AS n, toDecimal128(number, 12) AS d, hex(number) AS h FROM numbers(100000)"


def test_large_answers_arrive_whole(clickhouse: ClickHouse) -> None:
    """ChDB frees an answer's bytes with its handle: read any later, they are often somebody else's."""
    for _ in range(20):
        answer = clickhouse.read(SQL)
        assert answer["n"].to_numpy().sum() == LAST * (LAST + 1) // 2
        assert [str(answer[name][LAST]) for name in ("d", "h")] == ["99999.000000000000", "01869F"]
