import pytest

from tallystick.organizations.errors import TooManyAttempts
from tallystick.organizations.throttle import MAX_TRACKED, Throttle
from tests.support.clock import MovableClock


def failures(
    throttle: Throttle, clock: MovableClock, count: int, name: str = "ada", address: str = ""
) -> list[int]:
    """Fail `count` times, waiting as told; give the waits."""
    waits = []
    while count:
        try:
            throttle.attempt(name, address)
            count -= 1
        except TooManyAttempts as refused:
            wait_s = refused.facts["retry_after_s"]
            assert isinstance(wait_s, int)
            waits.append(wait_s)
            clock.forward(seconds=wait_s)
    return waits


def test_the_wait_doubles_after_five_failures(clock: MovableClock) -> None:
    assert failures(Throttle(clock), clock, 9) == [1, 2, 4, 8]


def test_the_wait_has_an_end(clock: MovableClock) -> None:
    assert max(failures(Throttle(clock), clock, 40)) == 256


def test_a_refused_attempt_does_not_lengthen_the_wait(clock: MovableClock) -> None:
    throttle = Throttle(clock, free_by_name=1)
    throttle.attempt("ada", "")
    for _ in range(5):
        with pytest.raises(TooManyAttempts, match="Wait 1 seconds"):
            throttle.attempt("ada", "")
    clock.forward(seconds=1)
    throttle.attempt("ada", "")


def test_another_name_is_not_slowed_down(clock: MovableClock) -> None:
    throttle = Throttle(clock, free_by_name=1)
    throttle.attempt("ada", "")
    throttle.attempt("bob", "")


def test_many_names_from_one_address_are(clock: MovableClock) -> None:
    throttle = Throttle(clock, free_by_address=3)
    for name in ("a", "b", "c"):
        throttle.attempt(name, "192.0.2.1")
    with pytest.raises(TooManyAttempts):
        throttle.attempt("d", "192.0.2.1")
    throttle.attempt("d", "192.0.2.2")


def test_an_ipv6_subscriber_is_one_address(clock: MovableClock) -> None:
    throttle = Throttle(clock, free_by_address=1)
    throttle.attempt("a", "2001:db8::1")
    with pytest.raises(TooManyAttempts):
        throttle.attempt("b", "2001:db8::2")
    throttle.attempt("b", "2001:db8:0:1::2")


def test_old_failures_are_forgotten(clock: MovableClock) -> None:
    throttle = Throttle(clock)
    failures(throttle, clock, 6)
    clock.forward(minutes=15)
    assert failures(throttle, clock, 5) == []


def test_success_forgives_the_name_all_and_the_address_one(clock: MovableClock) -> None:
    throttle = Throttle(clock, free_by_name=2, free_by_address=3)
    throttle.attempt("bob", "192.0.2.1")
    throttle.attempt("ada", "192.0.2.1")
    throttle.succeeded("ada", "192.0.2.1")
    throttle.attempt("ada", "192.0.2.1")
    throttle.attempt("ada", "192.0.2.1")
    with pytest.raises(TooManyAttempts):
        throttle.attempt("eve", "192.0.2.1")


def test_memory_is_bounded(clock: MovableClock) -> None:
    throttle = Throttle(clock)
    for i in range(MAX_TRACKED + 10):
        throttle.attempt(f"name {i}", "")
    assert len(throttle._failures) == MAX_TRACKED  # noqa: SLF001 - there is no other way to see it
