"""The OpenAPI 3.1 document, from the same table of routes that the server runs."""

import inspect
import re
import typing
from collections.abc import Iterable
from datetime import date, datetime
from functools import cache
from typing import Any

import msgspec

from tallystick import __version__
from tallystick.api.errors import ErrorAnswer
from tallystick.api.routes import Route, all_routes
from tallystick.platform.idempotency import LONGEST_KEY
from tallystick.platform.resources import resources
from tallystick.platform.resources.declaration import Entity, VersionedRequest
from tallystick.platform.resources.fields import DescribedAsText

SCHEMA_PATH = "#/components/schemas/{name}"
FORMATS = {datetime: "date-time", date: "date"}


INTRODUCTION = """\
Raw usage in, bills that explain themselves out.

**Sign in.** `POST /oauth/token` with an access key's id and secret (HTTP Basic) and
`{"grant_type": "client_credentials"}`; send what it answers as `Authorization: Bearer …`.
A token holds five hours.

**Conventions.** Success is always 200. `version` is answered by every entity and has to be sent
when it is updated; a stale one is refused with 409. Updates replace the whole entity. Lists answer
`{"data": […], "nextToken": …}`, newest first. Spans are half-open: the end is not included.
Numbers are exact decimals.

**Errors.** `{"code", "message", "requestId", "errors": [{"field", "code", "message"}]}`, with every
problem at once. Send an `Idempotency-Key` with a POST to be able to send it again.
"""


@cache
def document() -> dict[str, Any]:
    """Build the document."""
    routes = all_routes()
    schemas, components = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tallystick",
            "version": __version__,
            "license": {"name": "Apache-2.0"},
            "description": INTRODUCTION,
        },
        "tags": _tags(routes),
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _schemas(routes: Iterable[Route]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Give the schema of each type that a route takes or answers, and the named ones among them."""
    kinds = {
        k: None for r in routes for k in (r.request, r.answer, *(q.kind for q in r.query)) if k is not None
    }
    kinds[ErrorAnswer] = None
    found, components = msgspec.json.schema_components(list(kinds), ref_template=SCHEMA_PATH)
    for name, cls in _structs(kinds).items():
        if name in components:
            _complete(components[name], cls)
    plain = {name: _plain(schema) for name, schema in components.items()}
    return dict(zip(kinds, map(_plain, found), strict=True)), plain


def _structs(kinds: Iterable[Any]) -> dict[str, type[msgspec.Struct]]:
    """Collect the struct types that are reachable, by their schema's name."""
    seen: dict[str, type[msgspec.Struct]] = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        waiting.extend(typing.get_args(kind))
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__name__ not in seen:
            seen[kind.__name__] = kind
            waiting.extend(typing.get_type_hints(kind, include_extras=True).values())
    return seen


def _complete(schema: dict[str, Any], cls: type[msgspec.Struct]) -> None:
    """Add what the types alone do not say: formats of dates, and what the server always answers."""
    hints = typing.get_type_hints(cls)
    marked = typing.get_type_hints(cls, include_extras=True)
    for field in msgspec.structs.fields(cls):
        if issubclass(cls, VersionedRequest) and DescribedAsText() in typing.get_args(marked[field.name]):
            schema["properties"][field.encode_name] = {"type": ["string", "null"]}
        form = next(
            (f for k, f in FORMATS.items() if k in {hints[field.name], *typing.get_args(hints[field.name])}),
            None,
        )
        if form is not None:
            _set_format(schema["properties"][field.encode_name], form)
    if issubclass(cls, Entity):
        schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in cls.hidden_names}
        required = [r for r in schema.get("required", ()) if r not in cls.hidden_names]
        schema["required"] = ["id", "version", *required]


def _set_format(schema: dict[str, Any], form: str) -> None:
    for part in schema.get("anyOf", [schema]):
        if part.get("type") == "string":
            part["format"] = form


def _plain(schema: Any) -> Any:
    """Say in JSON Schema what msgspec says of Python: decimals are numbers, enums are strings."""
    if isinstance(schema, list):
        return [_plain(v) for v in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {k: _plain(v) for k, v in schema.items()}
    if plain.get("format") == "decimal":
        del plain["format"]
        plain["type"] = "number"
        plain.pop("default", None)
    if "enum" in plain and "type" not in plain:
        plain["type"] = "string"
    if plain.get("default", 0) is None:
        del plain["default"]
    return plain


def _operation(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    """Describe one route."""
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "tags": [route.tag],
        "summary": route.summary,
        **_described(route),
        "parameters": [*_path_parameters(route), *_query_parameters(route, schemas), *_key_parameter(route)],
        "responses": {
            "200": _content("The answer.", schemas[route.answer])
            if route.answer is not None
            else {"description": "Done."},
            "4XX": _content("A refusal.", schemas[ErrorAnswer]),
            "5XX": _content("A failure.", schemas[ErrorAnswer]),
        },
        "security": [{"bearer": []}] if route.permission else [{}],
    }
    if route.request is not None:
        body = {"schema": schemas[route.request]}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(route.media_types, body)}
    return operation


def _described(route: Route) -> dict[str, str]:
    """Give what the handler says of itself, if that is more than the summary."""
    text = inspect.getdoc(route.handler) or ""
    return {"description": text} if text.partition("\n")[0].rstrip(".") != route.summary and text else {}


def _tags(routes: Iterable[Route]) -> list[dict[str, str]]:
    """Name the groups of operations; a resource's says what it is."""
    about = {each.cls.__name__: inspect.getdoc(each.cls) or "" for each in resources()}
    names = sorted({route.tag for route in routes})
    return [{"name": name, "description": about.get(name, "")} for name in names]


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]


def _key_parameter(route: Route) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY}
    named = {"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}
    return [named] if route.takes_keys else []


def _query_parameters(route: Route, schemas: dict[Any, Any]) -> list[dict[str, Any]]:
    return [
        {"name": q.name, "in": "query", "required": False, "schema": {**schemas[q.kind], **q.limits}}
        for q in route.query
    ]
