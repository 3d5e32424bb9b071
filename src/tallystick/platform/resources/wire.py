"""JSON in and out: every problem of a body at once, numbers exact, nothing unset in an answer.

A reader is compiled once per type. It takes the decoded JSON and its path, gives the typed value, and
adds a Problem for each fault instead of stopping at the first one.
"""

import re
import types
import typing
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec

from tallystick.kernel.errors import Invalid
from tallystick.kernel.problems import Problem
from tallystick.platform.resources.fields import PHRASES, UUID_PATTERN, AnyJson, AtLeast, MoreThan

T = TypeVar("T")
Reader = Callable[[Any, str, list[Problem]], Any]

DIGITS_BEFORE_POINT = 26
DIGITS_AFTER_POINT = 24

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_EXACT = (Decimal,)
_FAULTS = (
    ("Object missing required field", "required"),
    ("of length", "wrong_length"),
    ("Invalid enum value", "unknown_value"),
    ("matching regex", "wrong_format"),
    ("Invalid RFC3339", "wrong_format"),
    ("Invalid", "wrong_format"),
    ("`int` <=", "out_of_range"),
    ("`int` >=", "out_of_range"),
    ("Integer value out of range", "out_of_range"),
)


class MalformedJson(Invalid):
    """The body is not JSON."""

    code = "malformed_json"


class InvalidBody(Invalid):
    """The body has problems; each is named by its path."""

    code = "invalid_body"

    def __init__(self, problems: list[Problem]) -> None:
        several = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        first = f"{problems[0].field}: {problems[0].message}" if problems[0].field else problems[0].message
        super().__init__(f"The request has {several}: {first}", problems=problems)


def parse(body: bytes) -> Any:
    """Decode JSON, fractions as Decimal. Raises MalformedJson."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJson(f"The body is not valid JSON: {error}") from error
    except InvalidOperation as error:
        raise MalformedJson(
            "The body is not usable JSON: a number has an exponent beyond all use."
        ) from error


def read(raw: Any, cls: type[T]) -> T:
    """Build a `cls` from decoded JSON. Raises InvalidBody with every problem."""
    problems: list[Problem] = []
    value = reader(typing.cast("Any", cls))(raw, "", problems)
    if problems:
        raise InvalidBody(problems)
    return typing.cast("T", value)


def encode(value: Any) -> bytes:
    """Encode an answer: camelCase, decimals as JSON numbers, nulls left out."""
    return _ENCODER.encode(answer(value))


def answer(value: Any) -> Any:
    """Give what the API answers for a value: no nulls, and of entities no hidden fields."""
    plain = msgspec.to_builtins(value, builtin_types=_EXACT)
    if isinstance(plain, dict):
        _hide(value, plain)
        for entity, entity_plain in zip(
            getattr(value, "data", None) or (), plain.get("data") or (), strict=False
        ):
            _hide(entity, entity_plain)
    return without_nulls(plain)


def _hide(value: Any, plain: dict[str, Any]) -> None:
    for name in getattr(value, "hidden_names", ()):
        plain.pop(name, None)
    for name, wire_name in _entity_fields(typing.cast("Any", type(value))):
        if plain.get(wire_name) is not None:
            _hide(getattr(value, name), plain[wire_name])


@cache
def _entity_fields(cls: type) -> tuple[tuple[str, str], ...]:
    """List the fields that hold another entity: name and wire name."""
    if not issubclass(cls, msgspec.Struct):
        return ()
    hints = typing.get_type_hints(cls)
    holds = {name: (hint, *get_args(hint)) for name, hint in hints.items()}
    return tuple(
        (field.name, field.encode_name)
        for field in msgspec.structs.fields(cls)
        if any(hasattr(kind, "hidden_names") for kind in holds[field.name])
    )


def encode_whole(value: Any) -> str:
    """Encode a nested part for a JSONB column: nulls and all."""
    return _ENCODER.encode(value).decode()


def without_nulls(value: Any) -> Any:
    """Leave out the object members that are null; nulls inside arrays stay."""
    if type(value) is dict:
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if type(value) is list:
        return [without_nulls(v) for v in value]
    return value


@cache
def reader(kind: Any) -> Reader:  # noqa: PLR0911 - one return for each kind of type
    """Compile the reader of a type: a struct, a list, a dict, an optional or a single value."""
    bare, marks = _unwrap(kind)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return _struct_reader(bare)
    origin = get_origin(bare)
    if origin in {Union, types.UnionType}:
        members = [m for m in get_args(bare) if m is not type(None)]
        inner = reader(Annotated[(members[0], *marks)] if marks else members[0])
        return lambda raw, path, problems: None if raw is None else inner(raw, path, problems)
    if origin is list:
        return _list_reader(get_args(bare)[0], marks)
    if origin is dict:
        return _dict_reader(get_args(bare)[1], marks)
    if bare is Decimal:
        return _decimal_reader(marks)
    if bare is Any:
        return _json_reader if any(isinstance(m, AnyJson) for m in marks) else _scalar_reader
    return _value_reader(kind, bare)


def _unwrap(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """Split an Annotated type into the type and its marks, outermost first, however deep they nest."""
    if get_origin(kind) is Annotated:
        bare, *marks = get_args(kind)
        inner, more = _unwrap(bare)
        return inner, (*marks, *more)
    return kind, ()


class _Member(NamedTuple):
    """One field of a struct, ready to be read."""

    name: str
    wire_name: str
    read: Reader
    required: bool


def _struct_reader(cls: type[msgspec.Struct]) -> Reader:
    hints = typing.get_type_hints(cls, include_extras=True)
    members = [
        _Member(f.name, f.encode_name, reader(hints[f.name]), f.required) for f in msgspec.structs.fields(cls)
    ]

    def read_struct(raw: Any, path: str, problems: list[Problem]) -> Any:
        if type(raw) is not dict:
            problems.append(Problem(path, "wrong_type", f"must be an object, not {_kind(raw)}"))
            return None
        values: dict[str, Any] = {}
        faults = len(problems)
        for member in members:
            where = f"{path}.{member.wire_name}" if path else member.wire_name
            given = raw.get(member.wire_name)
            if given is not None:
                values[member.name] = member.read(given, where, problems)
            elif member.required:
                problems.append(Problem(where, "required", "is required"))
        return cls(**values) if len(problems) == faults else None

    return read_struct


def _list_reader(item: Any, marks: tuple[Any, ...]) -> Reader:
    read_item = reader(item)

    def read_list(raw: Any, path: str, problems: list[Problem]) -> Any:
        if type(raw) is not list:
            problems.append(Problem(path, "wrong_type", f"must be an array, not {_kind(raw)}"))
            return None
        problems.extend(_length_problems(len(raw), path, marks, "element"))
        return [read_item(v, f"{path}[{i}]", problems) for i, v in enumerate(raw)]

    return read_list


def _dict_reader(item: Any, marks: tuple[Any, ...]) -> Reader:
    read_item, read_key = reader(item), reader(str)

    def read_dict(raw: Any, path: str, problems: list[Problem]) -> Any:
        if type(raw) is not dict:
            problems.append(Problem(path, "wrong_type", f"must be an object, not {_kind(raw)}"))
            return None
        problems.extend(_length_problems(len(raw), path, marks, "member"))
        return {read_key(k, path, problems): read_item(v, f"{path}.{k}", problems) for k, v in raw.items()}

    return read_dict


def _decimal_reader(marks: tuple[Any, ...]) -> Reader:
    least = next((m.limit for m in marks if isinstance(m, AtLeast)), None)
    floor = next((m.limit for m in marks if isinstance(m, MoreThan)), None)

    def read_decimal(raw: Any, path: str, problems: list[Problem]) -> Any:
        if type(raw) is int:
            raw = Decimal(raw)
        if type(raw) is not Decimal:
            problems.append(Problem(path, "wrong_type", f"must be a number, not {_kind(raw)}"))
            return None
        exponent = raw.as_tuple().exponent
        if (
            not isinstance(exponent, int)
            or raw.adjusted() >= DIGITS_BEFORE_POINT
            or exponent < -DIGITS_AFTER_POINT
        ):
            limits = f"{DIGITS_BEFORE_POINT} digits before the point and {DIGITS_AFTER_POINT} after it"
            message = f"must have at most {limits}"
            problems.append(Problem(path, "out_of_range", message))
        elif least is not None and raw < least:
            problems.append(Problem(path, "out_of_range", f"must be {least} or more"))
        elif floor is not None and raw <= floor:
            problems.append(Problem(path, "out_of_range", f"must be more than {floor}"))
        return raw

    return read_decimal


def _scalar_reader(raw: Any, path: str, problems: list[Problem]) -> Any:
    """Read a custom-field value: a string or a number (semantics §27)."""
    if type(raw) is str:
        return reader(str)(raw, path, problems)
    if type(raw) in {int, Decimal}:
        _decimal_reader(())(raw, path, problems)
        return raw
    problems.append(Problem(path, "wrong_type", f"must be a string or a number, not {_kind(raw)}"))
    return None


def _json_reader(raw: Any, path: str, problems: list[Problem]) -> Any:
    """Read any JSON value."""
    if type(raw) is dict:
        return {
            reader(str)(k, path, problems): _json_reader(v, f"{path}.{k}", problems) for k, v in raw.items()
        }
    if type(raw) is list:
        return [_json_reader(v, f"{path}[{i}]", problems) for i, v in enumerate(raw)]
    return raw if raw is None or type(raw) is bool else _scalar_reader(raw, path, problems)


def _value_reader(kind: Any, bare: Any) -> Reader:
    is_text, is_instant = bare is str, bare is datetime
    is_id = any(isinstance(m, msgspec.Meta) and m.pattern == UUID_PATTERN for m in _unwrap(kind)[1])

    def read_value(raw: Any, path: str, problems: list[Problem]) -> Any:
        try:
            value = msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            problems.append(_fault(str(error), path, bare))
            return None
        if is_text and "\x00" in value:
            problems.append(Problem(path, "wrong_format", "must not contain the NUL character"))
        if is_instant:
            return as_utc(value, path, problems)
        return value.lower() if is_id else value  # as the database writes it, so that ids are equal as texts

    return read_value


def as_utc(value: datetime, path: str, problems: list[Problem]) -> datetime:
    """Give the instant in UTC; one without an offset is UTC already."""
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        problems.append(Problem(path, "out_of_range", "is not a date that can be told in UTC"))
        return value


def _length_problems(length: int, path: str, marks: tuple[Any, ...], noun: str) -> list[Problem]:
    for mark in marks:
        if isinstance(mark, msgspec.Meta):
            if mark.min_length is not None and length < mark.min_length:
                return [Problem(path, "wrong_length", f"must have at least {mark.min_length} {noun}(s)")]
            if mark.max_length is not None and length > mark.max_length:
                return [
                    Problem(
                        path, "wrong_length", f"must have at most {mark.max_length} {noun}s, has {length}"
                    )
                ]
    return []


def _fault(message: str, path: str, bare: Any) -> Problem:
    """Say in plain words what msgspec found."""
    code = next((code for part, code in _FAULTS if part in message), "wrong_type")
    if code == "unknown_value" and isinstance(bare, type):
        allowed = ", ".join(str(m.value) for m in bare)  # type: ignore[attr-defined]
        return Problem(path, code, f"must be one of {allowed}")
    plain = message.split(" - at `", 1)[0].replace("`", "")
    for pattern, phrase in PHRASES.items():
        if repr(pattern) in plain:
            return Problem(path, code, phrase)
    plain = re.sub(r"^Expected str of length >= (\d+)$", r"must be text of at least \1 character(s)", plain)
    plain = re.sub(r"^Expected str of length <= (\d+)$", r"must be text of at most \1 characters", plain)
    return Problem(
        path, code, plain.replace("Expected str matching regex", "must match").replace("Expected", "must be")
    )


def _kind(raw: Any) -> str:
    """Name the JSON type of a decoded value."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(raw), "a number")
