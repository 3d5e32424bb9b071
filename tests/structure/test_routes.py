"""Every route of the API names the permission it asks for."""

import re
from dataclasses import dataclass

from tallystick.api.routes import all_routes
from tallystick.platform.resources import resources
from tests.structure.shape import routes_without_permission

PUBLIC = {
    ("POST", "/login"): "whoever asks here is about to prove who they are",
    ("POST", "/oauth/token"): "whoever asks here is about to prove who they are",
    ("GET", "/openapi.json"): "the interface is no secret; tools read it before they have a token",
    (
        "GET",
        "/downloads/{orgId}/bills/csv/{system}/{start}/{end}/{invoiceStart}/{invoiceEnd}",
    ): "the link is signed",
    ("GET", "/downloads/{orgId}/bills/{billId}/usage/{id}"): "the signature in the link is the permission",
    ("GET", "/downloads/{orgId}/statements/{id}/{kind}"): "the link carries its own signed permission",
    ("GET", "/downloads/{orgId}/dataexports/{id}"): "the signature in the link is the permission",
    ("GET", "/downloads/{orgId}/failedingest/{file}"): "the signature in the link is the permission",
    ("GET", "/downloads/{orgId}/measurements/{id}"): "the signature in the link is the permission",
    ("GET", "/operator/usage"): "signed with the secret that only the operator can read",
    ("GET", "/operator/usage/before/{date}"): "signed with the secret that only the operator can read",
    ("POST", "/operator/usage/before/{date}/drop"): "signed with the secret that only the operator can read",
    ("PUT", "/uploads/{orgId}/measurements/{id}"): "the signature in the link is the permission",
    ("PUT", "/uploads/{orgId}/lookuptables/{jobId}"): "the signature in the link is the permission",
    ("GET", "/downloads/{orgId}/lookuptables/{file}"): "the signature in the link is the permission",
    ("GET", "/docs"): "the interface is no secret",
    ("GET", "/docs/docs.js"): "the interface is no secret",
    ("GET", "/docs/scalar.js"): "the interface is no secret",
    ("POST", "/session"): "whoever asks here is about to prove who they are",
    ("GET", "/session"): "the session's cookie is the permission; it answers only whose it is",
    ("DELETE", "/session"): "the session's cookie is the permission; it ends only itself",
    ("GET", "/sso/start"): "whoever asks here is about to be vouched for",
    (
        "GET",
        "/sso/callback",
    ): "the issuer's word and the sealed cookie of the browser are the permission",
    ("GET", "/invitation"): "an empty form; the one-time token of the mailed link is the permission",
    ("POST", "/invitation"): "the one-time token of the mailed link is the permission",
    ("GET", "/password"): "an empty form; the one-time token of the mailed link is the permission",
    ("POST", "/password"): "the one-time token of the mailed link is the permission",
    ("POST", "/invitations/accept"): "the one-time token of the mailed link is the permission",
    ("POST", "/password/forgotten"): "whoever asks here cannot log in; the answer goes to the address only",
    ("POST", "/password/reset"): "the one-time token of the mailed link is the permission",
    ("GET", "/health"): "a load balancer asks; it answers nothing but up or not",
}
"Routes without a permission, each with its reason."
SEGMENTS = {"config:lookuptablerevision": "revisions", "config:exportjob": "jobs"}
"The segments of paths that are not what the type's own path ends with."
KINDS = {"type", "entityType"}
"Path parameters that name a kind of thing, not one thing."


def test_every_route_names_its_permission() -> None:
    routes = list(all_routes())
    assert routes
    findings = list(routes_without_permission(routes, PUBLIC))
    assert not findings, "\n" + "\n".join(findings)


def test_permissions_are_asked_for_the_thing_that_the_path_names() -> None:
    segments = {each.permission_object: each.path.rpartition("/")[2] for each in resources()} | SEGMENTS
    wrong = []
    for route in all_routes():
        permission = route.permission
        if permission is None or permission.on not in segments:
            continue
        named = re.search(rf"/{segments[permission.on]}/\{{(\w+)\}}", route.path)
        if named and named[1] not in KINDS and named[1] != permission.item:
            wrong.append(f"{route.method} {route.path}: asks for {permission.item}, not {named[1]}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_exception_is_a_route() -> None:
    gone = set(PUBLIC) - {(route.method.upper(), route.path) for route in all_routes()}
    assert not gone, f"exceptions for routes that are gone: {sorted(gone)}"


def test_finds_a_route_without_a_permission() -> None:
    @dataclass
    class Bare:
        method: str
        path: str
        permission: object | None

    routes = [Bare("GET", "/a", None), Bare("GET", "/b", ""), Bare("GET", "/c", "config:c:retrieve")]
    found = list(routes_without_permission(routes, {("GET", "/a"): "a reason"}))
    assert len(found) == 1
    assert "GET /b" in found[0]
