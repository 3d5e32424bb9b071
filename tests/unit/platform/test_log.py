import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tallystick.platform.log import configure_logging


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_json_lines_carry_their_facts(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    structlog.get_logger("tallystick.x").info("answered", status=200)
    logging.getLogger("some.library").warning("odd %s", "thing")
    ours, theirs = lines(out)
    assert (ours["event"], ours["status"], ours["level"]) == ("answered", 200, "info")
    assert (theirs["event"], theirs["logger"]) == ("odd thing", "some.library")
    assert ours["timestamp"].endswith("Z")


def test_the_level_holds_and_chatty_libraries_are_quiet(out: io.StringIO) -> None:
    configure_logging("warning", "json", out)
    structlog.get_logger("x").info("no")
    configure_logging("debug", "json", out)
    structlog.get_logger("x").debug("yes")
    logging.getLogger("sqlalchemy.engine").info("no")
    assert [line["event"] for line in lines(out)] == ["yes"]


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_secret_is_logged(out: io.StringIO, style: Any) -> None:
    configure_logging("info", style, out)
    hidden = "hunter2-hunter2"
    log = structlog.get_logger("x")
    log.info(
        "a", password=hidden, access_token=hidden, headers={"Authorization": hidden}, client_secret=hidden
    )
    log.info("b", url=f"postgresql://u:{hidden}@db/x", items=[f"http://u:{hidden}@h"])
    log.info(f"sent Bearer {hidden}")  # noqa: G004 - the worst case
    try:
        int(f"postgresql://u:{hidden}@db/x")
    except ValueError:
        log.exception("c")
    assert "hunter2" not in out.getvalue()
    assert out.getvalue().count("********") >= 8


def test_ordinary_names_that_look_like_secrets_are_shown(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    structlog.get_logger("x").info("page", next_token_used=True, key="a", author="me")
    assert (lines(out)[0]["next_token_used"], lines(out)[0]["key"], lines(out)[0]["author"]) == (
        True,
        "a",
        "me",
    )
