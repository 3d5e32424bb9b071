"""What a killed process acknowledged is there; who may open the folder; what a cut connection does."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.clickhouse.errors import (
    ClickHouseDiskFull,
    ClickHouseLocked,
    ClickHouseRefused,
    ClickHouseUnavailable,
    ClickHouseUnreadable,
    error_from,
)
from tallystick.platform.clickhouse.http import HttpClickHouse, HttpLimits
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.support.clock import MovableClock
from tests.unit.usage_store.blocks import MARCH, send, uids_block

WRITER_PROGRAM = """
import sys, threading
from datetime import datetime, timedelta, UTC
from pathlib import Path
from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.clock import SystemClock
from tallystick.usage.store.blocks import make_block
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter

folder, org = Path(sys.argv[1]), sys.argv[2]
store = UsageStore(EmbeddedClickHouse(folder))
store.migrate()
writer = GroupedWriter(store, SystemClock())
writer.start()

def block(uids):
    n = len(uids)
    ts = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=i % 70) for i in range(n)]
    return make_block(org_id=org, meter_ids=[org] * n, account_ids=[org] * n, ts=ts, uids=uids)

def client(number):
    for turn in range(10_000):
        writer.submit([block([f"{number}-{turn}-{i}" for i in range(50)])]).result()
        sys.stdout.write(f"{number}-{turn}\\n")
        sys.stdout.flush()

if len(sys.argv) > 3:  # a second life: send what was acknowledged again, with something new
    again = [f"{name}-{i}" for name in Path(sys.argv[3]).read_text().split() for i in range(50)]
    [flags] = writer.submit([block([*again, "new"])]).result()
    print(int(flags.sum()), len(flags), store.count(org))
    writer.close()
else:
    for number in range(4):
        threading.Thread(target=client, args=(number,)).start()
"""


def test_kill_9_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", WRITER_PROGRAM, str(tmp_path / "usage"), str(uuid4())]
    first = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    acknowledged = [first.stdout.readline().strip() for _ in range(60)]
    os.kill(first.pid, signal.SIGKILL)
    acknowledged += first.stdout.read().split()[:-1]  # the last line may be cut off
    first.wait()
    (tmp_path / "acknowledged").write_text("\n".join(acknowledged))
    second = subprocess.run(
        [*arguments, str(tmp_path / "acknowledged")], capture_output=True, text=True, timeout=60, check=True
    )
    duplicates, rows, stored = map(int, second.stdout.split())
    assert rows == 50 * len(acknowledged) + 1
    assert duplicates == rows - 1  # each acknowledged one was there, and only `new` is new
    # What was stored and not acknowledged: at most one group of each client's one open request, or two
    # whose line was not read.
    assert rows <= stored <= rows + 50 * 4 * 2


def test_what_the_disk_refused_is_not_acknowledged(tmp_path: Path) -> None:
    clickhouse, org = EmbeddedClickHouse(tmp_path), str(uuid4())
    store = UsageStore(clickhouse)
    store.migrate()
    writer = GroupedWriter(store, MovableClock(MARCH))
    writer.start()
    assert send(writer, uids_block(org, ["a"])) == [[False]]
    paths = clickhouse.read(
        "SELECT arrayJoin(data_paths) AS p FROM system.tables WHERE name = 'measurements'"
    )
    table = Path(paths["p"][0].as_py())
    table.rename(table.with_name("away"))
    table.write_text("")  # no part can be written below a file
    with pytest.raises(ClickHouseUnavailable):
        send(writer, uids_block(org, ["b", "c"]))
    table.unlink()
    table.with_name("away").rename(table)
    assert send(writer, uids_block(org, ["b", "c", "d"])) == [[True, True, False]]  # sent again by the writer
    assert store.count(org) == 4
    writer.close()
    clickhouse.close()


def test_a_folder_has_one_process(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse\n"
        "EmbeddedClickHouse(Path(sys.argv[1])); print('open', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"open\n"
    with pytest.raises(ClickHouseLocked, match="another process"):
        EmbeddedClickHouse(tmp_path)
    holder.kill()
    holder.wait()
    EmbeddedClickHouse(tmp_path).close()


def test_a_folder_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClickHouseUnreadable, match="file"):
        EmbeddedClickHouse(tmp_path / "file")
    with pytest.raises(ClickHouseUnreadable):
        EmbeddedClickHouse(tmp_path / "file" / "below")


def test_closed_is_unavailable_and_closing_twice_is_fine(tmp_path: Path) -> None:
    clickhouse = EmbeddedClickHouse(tmp_path)
    clickhouse.close()
    clickhouse.close()
    with pytest.raises(ClickHouseUnavailable, match="closing"):
        clickhouse.read("SELECT 1")


def test_a_mistake_of_ours_is_no_outage(tmp_path: Path, clickhouse_url: str) -> None:
    embedded = EmbeddedClickHouse(tmp_path)
    for clickhouse in (embedded, HttpClickHouse(clickhouse_url)):
        with pytest.raises(ClickHouseRefused, match="nowhere"):
            clickhouse.read("SELECT * FROM nowhere")
    embedded.close()


def test_an_answer_lost_on_the_way_stores_once(clickhouse_url: str) -> None:
    store = UsageStore(HttpClickHouse(clickhouse_url))
    store.migrate()
    writer, org = GroupedWriter(store, MovableClock(MARCH)), str(uuid4())
    writer.start()
    send(writer, uids_block(org, ["a"]))
    httpx.post(f"{clickhouse_url}/break")
    assert send(writer, uids_block(org, ["b", "c"])) == [[False, False]]
    writer.close()
    assert store.count(org) == 3


def test_a_server_that_is_not_there_is_unavailable() -> None:
    nowhere = HttpClickHouse("http://127.0.0.1:9", HttpLimits(connect_s=0.2))
    with pytest.raises(ClickHouseUnavailable, match="cannot be reached"):
        nowhere.read("SELECT 1")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space", ClickHouseDiskFull),
        ("Code: 75. DB::ErrnoException: errno: 28, strerror: No space left on device", ClickHouseDiskFull),
        ("Code: 241. DB::Exception: Query memory limit exceeded", ClickHouseUnavailable),
        ("Bad Gateway", ClickHouseUnavailable),
        ("Code: 62. DB::Exception: Syntax error", ClickHouseRefused),
    ],
)
def test_errors_by_their_number(text: str, kind: type[Exception]) -> None:
    assert type(error_from(text)) is kind
