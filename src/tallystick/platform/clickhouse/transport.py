"""What the usage store needs of ClickHouse, whoever runs it."""

from enum import StrEnum
from typing import Protocol

import pyarrow as pa


class Lane(StrEnum):
    """Which connections a query may use, so that short ones never wait behind long ones.

    READ: one account's question, a person waits. EXPLORE: a question over many accounts, a person waits.
    SCAN: a bill run, an export, a rebuild. WRITE: the insert, and what it must know first.
    """

    READ = "read"
    EXPLORE = "explore"
    SCAN = "scan"
    WRITE = "write"


class ClickHouse(Protocol):
    """A ClickHouse to ask and to fill; thread-safe.

    Every method raises ClickHouseUnavailable (or a subclass) when the same call may succeed later,
    and ClickHouseRefused when it never will.
    """

    def read(self, sql: str, *, lane: Lane = Lane.READ) -> pa.Table:
        """Run one SELECT without a FORMAT clause. No rows still gives the columns."""
        ...

    def execute(self, sql: str) -> None:
        """Run one statement that gives no rows."""
        ...

    def insert(self, table: str, block: pa.Table, token: str) -> None:
        """Store `block` durably; the same block with the same token is stored once.

        After an error it is unknown whether, and how much of, the block is stored: send it again.
        """
        ...

    def close(self) -> None:
        """Let go of every connection, after what runs has ended. Idempotent."""
        ...
