"""A bucket lets its burst through at once, then as much as flows back in."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.platform import rate_limit
from tallystick.platform.rate_limit import Rate, RateLimit, TooManyRequests
from tests.support.clock import MovableClock

START = datetime(2025, 6, 1, tzinfo=UTC)


def let_through(limit: RateLimit, tries: int, key: str = "org") -> int:
    done = 0
    for _ in range(tries):
        try:
            limit.take(key)
        except TooManyRequests:
            continue
        done += 1
    return done


def test_a_burst_at_once_then_the_rate() -> None:
    clock = MovableClock()
    limit = RateLimit(clock, Rate(tokens=50, burst=150))
    assert let_through(limit, 200) == 150  # semantics §1: a full bucket of 150 …
    clock.instant += timedelta(seconds=1)
    assert let_through(limit, 200) == 50  # … then 50 in the next second
    clock.instant += timedelta(hours=1)
    assert let_through(limit, 200) == 150


def test_a_refusal_says_when_to_come_back_and_takes_nothing() -> None:
    clock = MovableClock()
    limit = RateLimit(clock, Rate(tokens=2, burst=3))
    assert let_through(limit, 10) == 3
    with pytest.raises(TooManyRequests) as refused:
        limit.take("org")
    assert refused.value.facts["retry_after_s"] == 1  # half a second, told in whole ones
    clock.instant += timedelta(milliseconds=499)
    assert let_through(limit, 10) == 0
    clock.instant += timedelta(milliseconds=1)
    assert let_through(limit, 10) == 1


def test_a_window_of_many_seconds() -> None:
    clock = MovableClock()
    limit = RateLimit(clock, Rate(tokens=20, burst=20, window_s=300))
    assert let_through(limit, 30) == 20
    with pytest.raises(TooManyRequests, match="At most 20 requests in 300 seconds") as refused:
        limit.take("org")
    assert refused.value.facts["retry_after_s"] == 15  # 300 / 20
    clock.instant += timedelta(seconds=30)
    assert let_through(limit, 30) == 2


def test_keys_have_buckets_of_their_own() -> None:
    limit = RateLimit(MovableClock(), Rate(tokens=1, burst=2))
    assert [let_through(limit, 5, key) for key in ("a", "b", "a")] == [2, 2, 0]


def test_a_clock_set_back_locks_nobody_out() -> None:
    clock = MovableClock()
    limit = RateLimit(clock, Rate(tokens=1, burst=2))
    let_through(limit, 2)
    clock.instant -= timedelta(days=365)
    assert let_through(limit, 5) == 0
    clock.instant += timedelta(seconds=1)
    assert let_through(limit, 5) == 1


def test_only_full_buckets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST_KEYS", 3)
    clock = MovableClock()
    limit = RateLimit(clock, Rate(tokens=1, burst=1))
    assert [let_through(limit, 2, str(i)) for i in range(5)] == [1] * 5
    assert [let_through(limit, 2, str(i)) for i in range(5)] == [0] * 5
    clock.instant += timedelta(seconds=1)
    assert [let_through(limit, 2, str(i)) for i in range(5)] == [1] * 5


@given(pauses_ms=st.lists(st.integers(0, 700), max_size=60))
def test_equals_counting_tokens(pauses_ms: list[int]) -> None:
    """2 a second, 5 at once, in thousandths of a token: 2 come back every millisecond."""
    clock = MovableClock()
    limit = RateLimit(clock, Rate(tokens=2, burst=5))
    thousandths = 5000
    for pause in pauses_ms:
        clock.instant += timedelta(milliseconds=pause)
        thousandths = min(5000, thousandths + 2 * pause)
        expected = thousandths >= 1000
        thousandths -= 1000 if expected else 0
        assert bool(let_through(limit, 1)) == expected
