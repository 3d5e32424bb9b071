"""CloudEvents 1.0 in JSON, as OpenMeter takes them, made measurements of the meters that count them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from tallystick.catalogue.cloud_events import CloudEventMapping, value_at
from tallystick.catalogue.meter import DataField, Meter
from tallystick.kernel.decimals import plain
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.fields import Code
from tallystick.platform.resources.wire import InvalidBody, encode_whole, parse, reader
from tallystick.usage.envelope import EARLIEST, LATEST, MOST_MEASUREMENTS, Measurement, read_measurement
from tallystick.usage.failures import Failure
from tallystick.usage.rules import FailureType

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
JSON_TYPES: Final = ("application/json", "text/json")
_BINARY_PREFIX: Final = "ce-"
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d{0,40})(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_SPACE_OF_UIDS: Final = UUID("5b0b3a5e-3f0c-5d8f-9a57-0e4c2a6f7c11")

Text = Annotated[str, Meta(min_length=1, max_length=1024)]


class CloudEvent(msgspec.Struct, kw_only=True):
    """One event. subject: the account's code. time: when it happened; the receipt if it is not told.

    data: what happened, as JSON. Further attributes are ignored.
    """

    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Text
    subject: Code
    time: datetime | None = None
    datacontenttype: str | None = None
    data: Any = None


class Mapped(msgspec.Struct, frozen=True):
    """What became of events: measurements, and those that could not be made into one."""

    measurements: list[Measurement]
    failures: list[Failure]


def read_events(body: bytes, headers: Mapping[str, str]) -> list[CloudEvent]:
    """Read one event, structured or binary, or a batch, by what the headers say.

    A body that is plain JSON may be an event or an array of them, as OpenMeter takes them.
    Raises MalformedJson, InvalidBody with every problem by its path.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if f"{_BINARY_PREFIX}specversion" in headers and media_type not in {STRUCTURED, BATCH}:
        return [_read(_binary(body, headers, media_type), "", [])]
    raw = parse(body)
    if media_type == BATCH and not isinstance(raw, list):
        raise InvalidBody([Problem("", "wrong_type", "a batch is an array of events")])
    if not isinstance(raw, list):
        return [_read(raw, "", [])]
    if media_type == STRUCTURED:
        raise InvalidBody([Problem("", "wrong_type", f"several events are sent as {BATCH}")])
    if not 1 <= len(raw) <= MOST_MEASUREMENTS:
        message = f"must have 1 to {MOST_MEASUREMENTS} events, has {len(raw)}"
        raise InvalidBody([Problem("", "wrong_length", message)])
    problems: list[Problem] = []
    read = [_read(each, f"[{i}]", problems) for i, each in enumerate(raw)]
    if problems:
        raise InvalidBody(problems)
    return read


def meters_of(tx: Transaction, events: Sequence[CloudEvent]) -> dict[str, list[Meter]]:
    """Find the meters that count events of these types, by type; there may be several of one."""
    column = resource_of(Meter).table.c.cloud_events
    types = {event.type for event in events}
    found = tx.load(Meter, tx.select(Meter, column["eventType"].astext.in_(sorted(types))))
    by_type: dict[str, list[Meter]] = {name: [] for name in types}
    for meter in found:
        if meter.cloud_events is not None:
            by_type[meter.cloud_events.event_type].append(meter)
    return by_type


def measurements_of(
    events: Sequence[CloudEvent], meters: Mapping[str, Sequence[Meter]], now: datetime
) -> Mapped:
    """Make each event a measurement of every meter that counts it. now: the time of events without one."""
    mapped = Mapped([], [])
    for event in events:
        counting = meters.get(event.type, ())
        if not counting:
            message = f"no meter counts events of the type {event.type}"
            mapped.failures.append(Failure(FailureType.UNDEFINED_METER, message, _as_sent(event)))
        for meter in counting:
            raw = _measurement(event, meter, meter.cloud_events or CloudEventMapping(event_type=""), now)
            try:
                mapped.measurements.append(read_measurement(raw))
            except InvalidBody as error:
                told = "; ".join(f"{p.field}: {p.message}" for p in error.problems)
                mapped.failures.append(Failure(FailureType.INVALID_FIELD, told, _as_sent(event)))
    return mapped


def uid_of(event: CloudEvent, meter_id: str) -> str:
    """Give the uid of an event's measurement: by source and id, so that an event sent twice counts once."""
    return str(uuid5(_SPACE_OF_UIDS, encode_whole([event.source, event.id, meter_id.lower()])))


def _measurement(
    event: CloudEvent, meter: Meter, mapping: CloudEventMapping, now: datetime
) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "uid": uid_of(event, meter.id),
        "meter": meter.code,
        "account": event.subject,
        "ts": (event.time or now).isoformat(),
    }
    for field in meter.data_fields:
        value = _value(field, value_at(mapping.path(field.code), event.data))
        if value is not None:
            raw.setdefault(field.category.lower(), {})[field.code] = value
    return raw


def _value(field: DataField, value: Any) -> Any:
    """Give a field's value as a measurement has it: numbers may come as text, and texts as numbers."""
    if field.category.is_numeric:
        is_number = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
        return Decimal(value.strip()) if is_number else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= 100:  # noqa: PLR2004 - digits
        return f"{plain(value):f}"
    return str(value) if isinstance(value, int) else value


def _read(raw: Any, where: str, problems: list[Problem]) -> CloudEvent:
    """Read one event; its problems are added, or raised where it is the only one."""
    found: list[Problem] = []
    attributes = {k: v for k, v in raw.items() if k != "data"} if isinstance(raw, dict) else raw
    event: CloudEvent = reader(CloudEvent)(attributes, where, found)
    if isinstance(raw, dict):
        found += [Problem(f"{where}.{p.field}".strip("."), p.code, p.message) for p in _refused(raw)]
    if found and not where:
        raise InvalidBody(found)
    problems += found
    return event if found else msgspec.structs.replace(event, data=raw.get("data"))


def _refused(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what the specification allows, but cannot be counted."""
    kind = raw.get("datacontenttype")
    if isinstance(kind, str) and not _is_json(kind.partition(";")[0].strip().lower()):
        yield Problem("datacontenttype", "not_available", "only data in JSON can be counted")
    if "data_base64" in raw:
        yield Problem("data_base64", "not_available", "only data in JSON can be counted: send it as data")
    try:
        time = msgspec.convert(raw.get("time"), datetime | None)
    except msgspec.ValidationError:
        return  # told by its type
    aware = time.replace(tzinfo=time.tzinfo or EARLIEST.tzinfo) if time is not None else EARLIEST
    if not EARLIEST <= aware <= LATEST:
        yield Problem("time", "out_of_range", f"must lie between {EARLIEST:%Y-%m-%d} and {LATEST:%Y-%m-%d}")


def _is_json(media_type: str) -> bool:
    return media_type in JSON_TYPES or media_type.endswith("+json")


def _binary(body: bytes, headers: Mapping[str, str], media_type: str) -> dict[str, Any]:
    """Put an event together whose attributes are headers and whose data is the body. Raises InvalidBody."""
    sent = {
        name.removeprefix(_BINARY_PREFIX): _percent_decoded(value)
        for name, value in headers.items()
        if name.startswith(_BINARY_PREFIX)
    }
    message = "must be ASCII, all else as UTF-8 in percent signs"
    problems = [Problem(name, "wrong_format", message) for name, text in sent.items() if text is None]
    if problems:
        raise InvalidBody(problems)
    attributes: dict[str, Any] = {name: text for name, text in sent.items() if name != "data"}
    if media_type:
        attributes["datacontenttype"] = media_type
    data = parse(body) if body and _is_json(media_type or "application/json") else None
    return {**attributes, "data": data}


def _percent_decoded(value: str) -> str | None:
    """Decode a header's value; None is one that no text was encoded as."""
    if not value.isascii():
        return None
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return None


def _as_sent(event: CloudEvent) -> msgspec.Raw:
    return msgspec.Raw(
        encode_whole({k: v for k, v in msgspec.structs.asdict(event).items() if v is not None})
    )
