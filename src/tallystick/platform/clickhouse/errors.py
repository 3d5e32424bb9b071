"""What ClickHouse can refuse, from its own error codes."""

import re

from tallystick.kernel.errors import Unavailable

_CODE = re.compile(r"Code: (\d+)")
_DISK_FULL = frozenset({243})  # NOT_ENOUGH_SPACE
_LATER = frozenset(
    {
        74,  # CANNOT_READ_FROM_FILE_DESCRIPTOR
        75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR
        76,  # CANNOT_OPEN_FILE
        77,  # CANNOT_CLOSE_FILE
        159,  # TIMEOUT_EXCEEDED
        164,  # READONLY
        173,  # CANNOT_ALLOCATE_MEMORY
        198,  # DNS_ERROR
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        252,  # TOO_MANY_PARTS
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        289,  # REPLICA_IS_NOT_IN_QUORUM
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        425,  # SYSTEM_ERROR
        999,  # KEEPER_EXCEPTION
        1000,  # POCO_EXCEPTION
        1001,  # STD_EXCEPTION
        1002,  # UNKNOWN_EXCEPTION
    }
)


class ClickHouseUnavailable(Unavailable):
    """The usage store cannot answer now; the same request may succeed later."""

    code = "usage_store_unavailable"


class ClickHouseLocked(ClickHouseUnavailable):
    """Another process has the usage store's folder open."""

    code = "usage_store_locked"


class ClickHouseUnreadable(ClickHouseUnavailable):
    """The usage store's folder cannot be opened."""

    code = "usage_store_unreadable"


class ClickHouseDiskFull(ClickHouseUnavailable):
    """The disk of the usage store is full; nothing more can be acknowledged."""

    code = "usage_store_disk_full"


class ClickHouseRefused(RuntimeError):
    """A bug of ours: ClickHouse will never accept this statement. Facts are for the log."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


def error_from(text: str) -> ClickHouseUnavailable | ClickHouseRefused:
    """Read ClickHouse's own message, such as `Code: 252. DB::Exception: Too many parts …`.

    A message without a code comes from a broken transport: Unavailable.
    """
    found = _CODE.search(text)
    number = int(found.group(1)) if found else 0
    first_line = text.strip().split("\n", 1)[0][:500]
    if number in _DISK_FULL or "No space left on device" in text:
        message = "The disk of the usage store is full. Free some room, then send again."
        return ClickHouseDiskFull(message, detail=first_line, number=number)
    if number == 0 or number in _LATER:
        message = "The usage store cannot answer now. Send the same request again in a moment."
        return ClickHouseUnavailable(message, detail=first_line, number=number)
    return ClickHouseRefused(first_line, number)
