"""The server as a process: how it starts, refuses to start, stops, and comes back after a kill -9."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.process import COMMAND, Process, api, bootstrap, environment


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Give a home that a server has run on before; not in pytest's folder, which each pytest closes anew."""
    with tempfile.TemporaryDirectory(prefix="tallystick-test-") as folder:
        made = Path(folder) / "home"
        with Process.start(made):
            pass
        yield made


@pytest.fixture
def server(home: Path) -> Iterator[Process]:
    with Process.start(home) as running:
        yield running


def refused(home: Path, *arguments: str, **settings: str) -> str:
    """Start a server that must not start; give what it says."""
    ended = subprocess.run(
        [*COMMAND, "serve", "--json", *arguments],
        env=environment(home) | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Traceback" not in ended.stderr
    return ended.stderr[ended.stderr.index("error: ") :]


def postmaster(home: Path) -> int:
    """Give the process of the home's PostgreSQL; 0 when none is written down."""
    file = home / "postgres" / "data" / "postmaster.pid"
    return int(file.read_text().split()[0]) if file.exists() else 0


def port_of(server: Process) -> int:
    return int(server.url.rpartition(":")[2])


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(home: Path, sign: signal.Signals) -> None:
    server = Process.start(home)
    database = postmaster(home)
    os.kill(server.popen.pid, sign)
    _, said = server.popen.communicate(timeout=60)
    assert server.popen.returncode == 0, said
    assert said.rstrip().endswith("Stopped.")
    assert postmaster(home) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(database, 0)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/health")


def test_requests_under_way_are_answered_first(server: Process) -> None:
    with socket.create_connection(("127.0.0.1", port_of(server))) as slow:
        slow.sendall(
            b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
        )
        time.sleep(0.3)
        server.popen.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        slow.sendall(b"{}")
        assert slow.recv(100).startswith(b"HTTP/1.1 400")
    server.popen.communicate(timeout=60)
    assert server.popen.returncode == 0


def test_a_signal_while_it_starts_leaves_nothing_behind(home: Path) -> None:
    starting = subprocess.Popen(
        [*COMMAND, "serve"], env=environment(home), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while not postmaster(home) and time.monotonic() < deadline:
        time.sleep(0.005)
    starting.send_signal(signal.SIGTERM)
    _, said = starting.communicate(timeout=60)
    assert starting.returncode == 0, said
    assert "Traceback" not in said
    assert postmaster(home) == 0


def test_a_taken_port_is_named(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused(home, "--port", str(port))
    assert said.startswith(f"error: Cannot listen on 127.0.0.1:{port} (Address already in use).")
    assert postmaster(home) == 0


def test_a_home_in_use_is_named_with_its_server(home: Path, server: Process) -> None:
    said = refused(home)
    assert said.startswith(
        f"error: The home {home} is in use by another server (process {server.popen.pid})."
    )
    assert httpx.get(f"{server.url}/health").status_code == 200


def test_a_home_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert f"error: The home {file / 'home'} cannot be used" in refused(file / "home")


def test_wrong_settings_are_all_named(home: Path) -> None:
    said = refused(home, TALLYSTICK_PROT="1", TALLYSTICK_LOG_LEVEL="loud")
    assert "TALLYSTICK_PROT: is not a setting; did you mean TALLYSTICK_PORT?" in said
    assert "TALLYSTICK_LOG_LEVEL: must be one of debug, info, warning, error" in said
    assert len(said.splitlines()) == 3


def test_the_variables_of_the_client_commands_do_not_stop_it(home: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "config", "--json"],
        env=environment(home) | {"TALLYSTICK_API_SECRET": "x", "TALLYSTICK_URL": "http://x"},
        capture_output=True,
        check=True,
    )
    rows = {row["name"]: row["value"] for row in json.loads(ended.stdout)}
    assert rows["TALLYSTICK_HOME"] == str(home)
    assert "TALLYSTICK_API_SECRET" not in rows


def test_killed_it_comes_back_with_everything(home: Path) -> None:
    made = bootstrap(home)
    killed = Process.start(home)
    database = postmaster(home)
    product = api(killed, made).post("products", {"name": "Storage", "code": "storage"})
    killed.kill()
    os.kill(database, 0)  # the database outlives its server, and the next one finds it
    with Process.start(home) as again:
        assert postmaster(home) == database
        assert api(again, made).get(f"products/{product['id']}")["code"] == "storage"
    assert postmaster(home) == 0


def test_killed_with_its_database_it_comes_back_too(home: Path) -> None:
    made = bootstrap(home)
    killed = Process.start(home)
    product = api(killed, made).post("products", {"name": "Compute", "code": "compute"})
    os.kill(postmaster(home), signal.SIGKILL)
    killed.kill()
    with Process.start(home) as again:
        assert api(again, made).get(f"products/{product['id']}")["code"] == "compute"


def test_an_organization_is_made_beside_a_running_server(home: Path, server: Process) -> None:
    made = bootstrap(home)
    assert api(server, made).get("organizationconfig")["currency"] == "USD"
    assert re.fullmatch(r"[0-9a-f-]{36}", made["accessKeyId"])
