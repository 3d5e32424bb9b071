"""Hashing uids, and the memory that never forgets one too early (semantics §6)."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.usage.dedupe import UidFilter, hash_uids
from tallystick.usage.store.model import fits

ORG = np.array([1, 2], np.uint64)


def hashes(uids: list[str], org: "np.ndarray[tuple[int], np.dtype[np.uint64]]" = ORG) -> list[int]:
    return [int(each) for each in hash_uids(np.tile(org, (len(uids), 1)), pa.array(uids, pa.string()))]


@given(st.lists(st.text(max_size=50), min_size=1, max_size=20))
def test_a_hash_depends_on_nothing_but_its_uid(uids: list[str]) -> None:
    assert hashes(uids) == [hashes([uid])[0] for uid in uids]


def test_hashes_are_stable() -> None:
    assert hashes(["flight-1", ""]) == [
        13403814545311541226,
        19668521230729657,
    ]  # stored in every table there is


def test_hashes_differ_by_organization_and_trailing_zeros() -> None:
    uids = ["a", "a\0", "a\0\0", "b", "12345678", "12345678\0"]
    both = hashes(uids) + hashes(uids, ORG + np.uint64(1))
    assert len(set(both)) == 12


def test_a_slice_hashes_like_its_copy() -> None:
    uids = pa.array([f"uid-{i}" for i in range(9)])
    words = np.tile(ORG, (9, 1))
    assert (hash_uids(words, uids)[3:6] == hash_uids(words[3:6], uids.slice(3, 3))).all()


def test_the_filter_knows_all_it_was_given_and_little_else() -> None:
    random = np.random.default_rng(1)
    given_hashes = random.integers(0, 2**64, 600_000, dtype=np.uint64)
    memory = UidFilter()
    for part in np.split(given_hashes, 6):
        memory.add(part, 3)
    assert memory.maybe_seen(given_hashes).all()
    assert memory.maybe_seen(random.integers(0, 2**64, 100_000, dtype=np.uint64)).mean() < 0.001
    assert memory.bytes_held < 6 * len(memory)
    memory.add(given_hashes[:1] + np.uint64(1), 4)
    memory.forget_before(4)
    assert memory.maybe_seen(given_hashes[:3] + np.uint64(1)).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("99999999999999999999999999.999999999999", True),
        ("-1e25", True),
        ("1.5000000000000000", True),
        ("1e26", False),
        ("0.0000000000001", False),
        ("1e-99999999", False),
        ("1.000000000000000000000000000000000000000000000000000001", False),
        ("0e-99999999", True),
        ("NaN", False),
        ("Infinity", False),
    ],
)
def test_fits(value: str, kept: bool) -> None:  # noqa: FBT001 - a table's column
    assert fits(Decimal(value)) is kept
