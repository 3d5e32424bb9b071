from datetime import UTC, datetime

from tallystick.kernel.clock import Clock


class Noon:
    def now(self) -> datetime:
        return datetime(2024, 1, 1, 12, tzinfo=UTC)


def test_anything_that_tells_the_time_is_a_clock() -> None:
    clock: Clock = Noon()
    assert clock.now().hour == 12
