"""Which uids may have been seen: a compact memory that never forgets one of the last 35 days.

It answers "certainly new" or "perhaps seen"; the perhaps are looked up exactly in the store.
"""

from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

KEPT: Final = timedelta(days=35)
"How long a uid is remembered after its receipt (semantics §6)."

Words = np.ndarray[Any, np.dtype[np.uint64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

_MIX_1: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_2: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_3: Final = np.uint64(0x94D049BB133111EB)
_BITS_A_KEY: Final = 12  # in each of two words: together one false alarm in 20,000 when full
_SMALLEST: Final = 2**18
_LARGEST: Final = 2**24


def hash_uids(org_words: Words, uids: pa.Array) -> Words:
    """Hash (organization, uid) to 64 bits. Stored with the rows: it can never change.

    org_words: (n, 2), the organization ids as 64-bit words. uids: n strings without nulls.
    Two uids may share a hash; whoever uses it compares the uids themselves too.
    """
    if not len(uids):
        return np.zeros(0, np.uint64)
    uids = uids.cast(pa.string())
    offsets = np.frombuffer(uids.buffers()[1], np.int32)[uids.offset : uids.offset + len(uids) + 1]
    lengths = offsets[1:] - offsets[:-1]
    words = _padded(uids, offsets, lengths)
    mixed = lengths.astype(np.uint64) * _MIX_1
    for column in org_words.T:
        mixed = _mix(mixed, column)
    shortest = int(lengths.min())
    for position, column in enumerate(words.T):
        further = _mix(mixed, column)
        # A row without further letters stays as it is: its hash must not depend on its neighbours.
        mixed = further if shortest > 8 * position else np.where(lengths > 8 * position, further, mixed)
    return _finish(mixed)


class UidFilter:
    """Remembers hashes by week of receipt. Not thread-safe: the writer's serial section owns it."""

    def __init__(self) -> None:
        self._weeks: dict[int, list[_Bloom]] = {}

    def __len__(self) -> int:
        return sum(bloom.count for blooms in self._weeks.values() for bloom in blooms)

    @property
    def bytes_held(self) -> int:
        """Memory in use."""
        return sum(bloom.bytes_held for blooms in self._weeks.values() for bloom in blooms)

    def add(self, hashes: Words, week: int) -> None:
        """Remember hashes received in a week (whole weeks since 1970)."""
        blooms = self._weeks.setdefault(week, [])
        while len(hashes):
            if not blooms or blooms[-1].room == 0:
                blooms.append(_Bloom(self._next_capacity(week, len(hashes))))
            room = blooms[-1].room
            blooms[-1].add(hashes[:room])
            hashes = hashes[room:]

    def maybe_seen(self, hashes: Words) -> Flags:
        """Tell which hashes may have been added; a False is certain."""
        seen = np.zeros(len(hashes), bool)
        for blooms in self._weeks.values():
            for bloom in blooms:
                seen |= bloom.maybe_has(hashes)
        return seen

    def forget_before(self, week: int) -> None:
        """Drop every week before this one."""
        for old in [each for each in self._weeks if each < week]:
            del self._weeks[old]

    def _next_capacity(self, week: int, needed: int) -> int:
        """Size a new part by what the week, and the one before it, already took: few parts, little waste."""
        taken = max((sum(b.count for b in self._weeks.get(w, ())) for w in (week, week - 1)), default=0)
        return min(max(taken, needed, _SMALLEST), _LARGEST)


class _Bloom:
    """A blocked Bloom filter: four bits in each of two 64-bit words per key."""

    def __init__(self, capacity: int) -> None:
        self._words = np.zeros((2, max(1, capacity * _BITS_A_KEY // 64)), np.uint64)
        self._capacity = capacity
        self.count = 0

    @property
    def room(self) -> int:
        return self._capacity - self.count

    @property
    def bytes_held(self) -> int:
        return int(self._words.nbytes)

    def add(self, hashes: Words) -> None:
        for words, (places, masks) in zip(self._words, self._both(hashes), strict=True):
            np.bitwise_or.at(words, places, masks)
        self.count += len(hashes)

    def maybe_has(self, hashes: Words) -> Flags:
        (words_1, words_2), (first, second) = self._words, self._both(hashes)
        in_first: Flags = (words_1[first[0]] & first[1]) == first[1]
        in_second: Flags = (words_2[second[0]] & second[1]) == second[1]
        return in_first & in_second

    def _both(self, hashes: Words) -> tuple[tuple[Words, Words], tuple[Words, Words]]:
        return self._place(hashes), self._place(_finish(hashes * _MIX_1))

    def _place(self, hashes: Words) -> tuple[Words, Words]:
        """Give each hash its word, from its high half, and its four bits, from its low half."""
        size = np.uint64(self._words.shape[1])
        places = (hashes >> np.uint64(32)) * size >> np.uint64(32)
        masks = np.zeros(len(hashes), np.uint64)
        for shift in (0, 6, 12, 18):
            masks |= np.uint64(1) << ((hashes >> np.uint64(shift)) & np.uint64(63))
        return places, masks


def _mix(mixed: Words, column: Words) -> Words:
    mixed = (mixed ^ column) * _MIX_2
    mixed ^= mixed >> np.uint64(32)
    return mixed


def _finish(mixed: Words) -> Words:
    mixed = mixed * _MIX_3
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _padded(uids: pa.Array, offsets: Any, lengths: Any) -> Words:
    """Lay the uids' bytes out as rows of 64-bit words, zeros behind."""
    width = max(8, -(-int(lengths.max()) // 8) * 8)
    rows = np.zeros((len(lengths), width), np.uint8)
    letters = np.frombuffer(uids.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    if (lengths == lengths[0]).all():
        rows[:, : lengths[0]] = letters.reshape(len(lengths), lengths[0])
    else:
        rows[np.arange(width) < lengths[:, None]] = letters
    return rows.view(np.uint64)
