from datetime import UTC, datetime, timedelta

from tallystick.kernel.clock import Clock
from tallystick.platform.clock import SystemClock, unix_time_ns


def test_now_is_aware_utc_and_moves_on() -> None:
    clock: Clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert first.tzinfo is UTC
    assert first <= second < first + timedelta(minutes=1)


def test_both_ways_to_read_the_clock_agree() -> None:
    seconds = unix_time_ns() // 10**9
    assert abs(SystemClock().now() - datetime.fromtimestamp(seconds, UTC)) < timedelta(minutes=1)
