import os
import threading
import uuid

import pytest

from tallystick.platform import ids
from tallystick.platform.clock import unix_time_ns
from tallystick.platform.ids import new_id


def test_an_id_is_a_uuid_of_version_7_with_the_present_time() -> None:
    before, text, after = unix_time_ns() // 10**6, new_id(), unix_time_ns() // 10**6
    made = uuid.UUID(text)
    assert str(made) == text
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after + 1


def test_ids_grow_and_never_repeat() -> None:
    made = [new_id() for _ in range(50_000)]
    assert made == sorted(made)
    assert len(set(made)) == 50_000


def test_ids_grow_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    monkeypatch.setattr(ids, "unix_time_ns", lambda: 10**18)  # the year 2001
    assert first < new_id() < new_id()


def test_threads_share_one_sequence() -> None:
    made: list[list[str]] = [[] for _ in range(4)]

    def make(into: list[str]) -> None:
        into.extend(new_id() for _ in range(5_000))

    threads = [threading.Thread(target=make, args=[into]) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for each in made for one in each}) == 20_000
    assert all(each == sorted(each) for each in made)


def test_a_forked_child_does_not_repeat_its_parents_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "unix_time_ns", lambda: 4 * 10**18)  # one millisecond for all, in the future
    new_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 36).decode() not in {new_id() for _ in range(100)}
    os.close(reading)
    os.close(writing)
    ids._sequence.restart()  # noqa: SLF001 - back from the future
