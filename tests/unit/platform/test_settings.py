from pathlib import Path

import pytest

from tallystick.platform.settings import BadSettings, Settings, mask_urls


def faults(environment: dict[str, str]) -> list[tuple[str, str]]:
    with pytest.raises(BadSettings) as caught:
        Settings.from_environment(environment)
    return [(problem.field, problem.code) for problem in caught.value.problems]


def test_defaults() -> None:
    settings = Settings.from_environment({"PATH": "/bin", "TALLYSTICK_TEST_SLOW": "1", "TALLYSTICK_PORT": ""})
    assert (settings.home, settings.host, settings.port) == (Path.home() / ".tallystick", "127.0.0.1", 8787)
    assert (settings.database_url, settings.secret, settings.log_format) == (None, None, "console")


def test_values_are_read_with_their_types() -> None:
    settings = Settings.from_environment(
        {"TALLYSTICK_HOME": "~/x", "TALLYSTICK_PORT": "0", "TALLYSTICK_LOG_LEVEL": "debug"}
    )
    assert (settings.home, settings.port, settings.log_level) == (Path.home() / "x", 0, "debug")


def test_every_fault_is_told_at_once() -> None:
    assert faults(
        {
            "TALLYSTICK_PROT": "1",
            "TALLYSTICK_PORT": "65536",
            "TALLYSTICK_DATABASE_URL": "mysql://x",
            "TALLYSTICK_LOG_LEVEL": "loud",
            "TALLYSTICK_SECRET": "short",
        }
    ) == [
        ("TALLYSTICK_PROT", "unknown_setting"),
        ("TALLYSTICK_PORT", "bad_setting"),
        ("TALLYSTICK_DATABASE_URL", "bad_setting"),
        ("TALLYSTICK_LOG_LEVEL", "bad_setting"),
        ("TALLYSTICK_SECRET", "bad_setting"),
    ]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("TALLYSTICK_PROT", "TALLYSTICK_PORT"),
        ("TALLYSTICK_DATABASE", "TALLYSTICK_DATABASE_URL"),
        ("TALLYSTICK_LOGLEVEL", "TALLYSTICK_LOG_LEVEL"),
        ("TALLYSTICK_GIVEN", "TALLYSTICK_"),  # a field that is no setting
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_known(name: str, nearest: str) -> None:
    with pytest.raises(BadSettings, match=f"{name}: is not a setting; did you mean {nearest}"):
        Settings.from_environment({name: "1"})


@pytest.mark.parametrize("port", ["-1", "65536", "http", "80.5"])
def test_a_port_is_a_whole_number(port: str) -> None:
    with pytest.raises(BadSettings, match="TALLYSTICK_PORT: must be a whole number from 0 to 65535"):
        Settings.from_environment({"TALLYSTICK_PORT": port})


def test_describe_masks_secrets_and_names_the_source() -> None:
    url, secret = "postgresql://tally:hun:ter2@db/x?sslmode=require", "s" * 32
    settings = Settings.from_environment({"TALLYSTICK_DATABASE_URL": url, "TALLYSTICK_SECRET": secret})
    rows = {row.name: row for row in settings.describe()}
    assert rows["TALLYSTICK_DATABASE_URL"].value == "postgresql://tally:********@db/x?sslmode=require"
    assert rows["TALLYSTICK_SECRET"].value == "********"
    assert (rows["TALLYSTICK_SECRET"].source, rows["TALLYSTICK_PORT"].source) == ("environment", "default")
    assert (rows["TALLYSTICK_PORT"].value, rows["TALLYSTICK_HOME"].default) == ("8787", "~/.tallystick")
    assert all(row.meaning for row in rows.values())
    assert "hun" not in repr(settings)
    assert secret not in repr(settings)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://ch:8123", "http://ch:8123"),
        ("http://u:p@ch:8123/db", "http://u:********@ch:8123/db"),
        ("postgresql://:p@/x", "postgresql://:********@/x"),
        ("failed: s3://k:s/x@bucket and x@y", "failed: s3://k:s/x@bucket and x@y"),
        ("http://ch/?user=u&password=p&x=1", "http://ch/?user=u&password=********&x=1"),
    ],
)
def test_mask_urls(text: str, masked: str) -> None:
    assert mask_urls(text) == masked
