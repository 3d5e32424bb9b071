"""What the operator sets: environment variables named TALLYSTICK_*, read once, all faults told at once."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec

from tallystick.kernel.errors import Invalid
from tallystick.kernel.problems import Problem
from tallystick.platform.addresses import Allowed, read_networks

PREFIX = "TALLYSTICK_"
TEST_PREFIX = "TALLYSTICK_TEST_"
"The test suite's own variables: never read here, never refused."
CLIENT_VARIABLES = frozenset(
    f"{PREFIX}{name}" for name in ("URL", "ACCESS_KEY", "API_SECRET", "ORG", "PROFILE", "ADMIN_PASSWORD")
)
"Which server the commands talk to and as whom: of no meaning to a server, so never refused."
MASK = "********"
_MIN_SECRET_LENGTH = 32

_SENDER = re.compile(r"[^<>@\s]+@[^<>@\s]+|[^<>\r\n]+ <[^<>@\s]+@[^<>@\s]+>")
_PASSWORD_IN_URL = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^:/?#@\s]*:)[^/?#\s]+(?=@)", re.IGNORECASE)
_SECRET_IN_QUERY = re.compile(r"(?P<before>[?&](?:password|secret|token|key)=)[^&#\s]+", re.IGNORECASE)


class BadSettings(Invalid):
    """Some TALLYSTICK_* variable is unknown or has a value it cannot have."""

    code = "bad_settings"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        lines = "\n".join(f"  {problem.field}: {problem.message}" for problem in problems)
        super().__init__(f"The settings are not right:\n{lines}", problems=problems)


class SettingRow(msgspec.Struct, frozen=True):
    """One line of `tallystick config`; a secret's value is masked."""

    name: str
    value: str
    default: str
    source: Literal["environment", "default"]
    meaning: str


def mask_urls(text: str) -> str:
    """Hide the passwords inside the URLs of a text."""
    return _SECRET_IN_QUERY.sub(rf"\g<before>{MASK}", _PASSWORD_IN_URL.sub(rf"\g<before>{MASK}", text))


def _url(*schemes: str) -> dict[str, Any]:
    """Make the extra facts of a setting that is a URL of one of these schemes."""

    def check(text: str) -> str | None:
        scheme = text.partition("://")[0]
        try:
            fits = scheme in schemes and bool(urlsplit(text).scheme)
        except ValueError:
            fits = False
        return None if fits else f"must be a URL starting with {' or '.join(f'{s}://' for s in schemes)}"

    return {"check": check}


def _long_enough(text: str) -> str | None:
    return None if len(text) >= _MIN_SECRET_LENGTH else f"must have {_MIN_SECRET_LENGTH} characters or more"


def _sender(text: str) -> str | None:
    return None if _SENDER.fullmatch(text) else "must be an address, or `Name <address>`"


def _hosts_and_networks(text: str) -> str | None:
    try:
        Allowed.read(text)
    except ValueError as error:
        return str(error)
    return None


def _networks(text: str) -> str | None:
    try:
        read_networks(text)
    except ValueError as error:
        return f"must be networks such as 10.0.0.0/8: {error}"
    return None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The effective settings: each field is TALLYSTICK_ and its name in capitals.

    A field's Meta says what it means; `extra` may hold `secret` (mask it) and `check` (text to fault).
    """

    home: Annotated[Path, msgspec.Meta(description="The folder of everything this server keeps.")] = Path(
        "~/.tallystick"
    )
    host: Annotated[str, msgspec.Meta(description="The address to listen on; 0.0.0.0 is every one.")] = (
        "127.0.0.1"
    )
    port: Annotated[
        int, msgspec.Meta(description="The port to listen on; 0 takes any free one.", ge=0, le=65535)
    ] = 8787
    database_url: Annotated[
        str | None,
        msgspec.Meta(
            description="A PostgreSQL 15 or newer to use instead of the embedded one.",
            extra=_url("postgresql", "postgres", "postgresql+psycopg"),
        ),
    ] = None
    clickhouse_url: Annotated[
        str | None,
        msgspec.Meta(
            description="A ClickHouse over HTTP to use instead of the embedded one.",
            extra=_url("http", "https", "clickhouse", "clickhouses"),
        ),
    ] = None
    clickhouse_cluster: Annotated[
        str | None,
        msgspec.Meta(description="The ClickHouse cluster to make tables on; none is a single server."),
    ] = None
    files_url: Annotated[
        str | None,
        msgspec.Meta(
            description="Where files are kept instead of the home: s3://bucket/prefix or gs://bucket/prefix.",
            extra=_url("s3", "gs"),
        ),
    ] = None
    stripe_url: Annotated[
        str | None,
        msgspec.Meta(
            description="Where Stripe's API is; none is Stripe's own address.", extra=_url("http", "https")
        ),
    ] = None
    gcs_token_file: Annotated[
        str | None,
        msgspec.Meta(description="A file with the OIDC token by which Google's buckets know this server."),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        msgspec.Meta(description="The least severe word to log."),
    ] = "info"
    log_format: Annotated[
        Literal["console", "json"], msgspec.Meta(description="Logs for a person, or one JSON object a line.")
    ] = "console"
    rate_limits: Annotated[
        Literal["off", "on"],
        msgspec.Meta(
            description="Whether requests are limited by organization and address, with 429 over it."
        ),
    ] = "off"
    public_url: Annotated[
        str | None,
        msgspec.Meta(
            description="Where people reach this server, for the links in mails; none is host and port.",
            extra=_url("http", "https"),
        ),
    ] = None
    smtp_url: Annotated[
        str | None,
        msgspec.Meta(
            description="The mail server, smtp:// or smtps://; none writes mails into the home.",
            extra=_url("smtp", "smtps"),
        ),
    ] = None
    mail_from: Annotated[str, msgspec.Meta(description="The sender of mails.", extra={"check": _sender})] = (
        "Tallystick <tallystick@localhost>"
    )
    webhook_allow: Annotated[
        str,
        msgspec.Meta(
            description="Hosts and networks inside that webhooks and issuers may have, such as 10.1.0.0/16.",
            extra={"check": _hosts_and_networks},
        ),
    ] = ""
    proxies: Annotated[
        str,
        msgspec.Meta(
            description="Networks of the proxies in front, whose X-Forwarded-For is believed.",
            extra={"check": _networks},
        ),
    ] = ""
    due_every_s: Annotated[
        int,
        msgspec.Meta(
            description="How often to look for what is due, in seconds; 0 leaves it to other processes.",
            ge=0,
            le=3600,
        ),
    ] = 5
    oidc_issuer: Annotated[
        str | None,
        msgspec.Meta(
            description="The OpenID Connect issuer that people sign on with, for organizations without one.",
            extra=_url("http", "https"),
        ),
    ] = None
    oidc_client_id: Annotated[
        str | None, msgspec.Meta(description="What this server is called at that issuer.")
    ] = None
    oidc_client_secret: Annotated[
        str | None, msgspec.Meta(description="Its secret at that issuer.", extra={"secret": True})
    ] = None
    secret: Annotated[
        str | None,
        msgspec.Meta(
            description="What tokens are signed with, the same on every server; none makes one in the home.",
            extra={"secret": True, "check": _long_enough},
        ),
    ] = None
    given: frozenset[str] = frozenset()
    "Names of the fields that the environment set; no setting itself."

    @property
    def base_url(self) -> str:
        """Where people reach this server, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings from environment variables; an empty one counts as not given.

        Raises BadSettings with every fault: unknown names, and values that do not fit.
        """
        problems = list(_unknown(environment))
        values: dict[str, Any] = {}
        for field, kind, meta in _fields():
            text = environment.get(variable(field), "").strip()
            if text:
                try:
                    values[field] = _read(text, kind, meta)
                except ValueError as error:
                    problems.append(Problem(variable(field), "bad_setting", str(error)))
        if problems:
            raise BadSettings(tuple(problems))
        values["home"] = values.get("home", Path("~/.tallystick")).expanduser().absolute()
        return cls(
            **values, given=frozenset(values) & {f for f, _, _ in _fields() if environment.get(variable(f))}
        )

    def describe(self) -> list[SettingRow]:
        """Give every setting for a person to read, with secrets and the passwords inside URLs masked."""
        return [
            SettingRow(
                name=variable(field),
                value=_shown(getattr(self, field), meta),
                default=_shown(_default(field), meta),
                source="environment" if field in self.given else "default",
                meaning=meta.description or "",
            )
            for field, _, meta in _fields()
        ]

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{row.name}={row.value}' for row in self.describe())})"


def variable(field: str) -> str:
    """Name the environment variable of a field of Settings."""
    return PREFIX + field.upper()


def _fields() -> Iterator[tuple[str, Any, msgspec.Meta]]:
    """Give name, annotation and Meta of each setting, in the order of their declaration."""
    for name, annotation in get_type_hints(Settings, include_extras=True).items():
        if name != "given":
            yield name, annotation, get_args(annotation)[1]


def _default(field: str) -> Any:
    return next(f.default for f in msgspec.structs.fields(Settings) if f.name == field)


def _unknown(environment: Mapping[str, str]) -> Iterator[Problem]:
    known = [variable(field) for field, _, _ in _fields()]
    for name in sorted(environment):
        if name in CLIENT_VARIABLES or name.startswith(TEST_PREFIX):
            continue
        if name.startswith(PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            yield Problem(name, "unknown_setting", f"is not a setting; did you mean {nearest}?")


def _read(text: str, kind: Any, meta: msgspec.Meta) -> Any:
    """Turn a variable's text into its field's value. Raises ValueError saying what it must be."""
    if get_args(kind)[0] is Path:
        return Path(text)
    check: Callable[[str], str | None] = (meta.extra or {}).get("check", lambda _: None)
    fault = check(text)
    if fault:
        raise ValueError(fault)
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(_must_be(get_args(kind)[0], meta)) from error


def _must_be(kind: Any, meta: msgspec.Meta) -> str:
    if kind is int:
        return f"must be a whole number from {meta.ge} to {meta.le}"
    return f"must be one of {', '.join(map(str, get_args(kind)))}"


def _shown(value: object, meta: msgspec.Meta) -> str:
    if value is None:
        return ""
    return MASK if (meta.extra or {}).get("secret") else mask_urls(str(value))
