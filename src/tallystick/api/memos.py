"""Credits and debits that someone who may read a bill puts on it by hand."""

from collections.abc import Iterator
from typing import Any

from tallystick.api.bills import READ as READ_BILL
from tallystick.api.routes import Call, Permission, Route, organization_path, paging
from tallystick.billing import memos
from tallystick.billing.memo import CreditLineItem, DebitLineItem, Memo
from tallystick.platform.resources import Page, resource_of

LARGEST_PAGE = 100


def memo_routes() -> Iterator[Route]:
    """Make the five operations of either kind."""
    yield from _routes(CreditLineItem, "Credits", "credit")
    yield from _routes(DebitLineItem, "Debits", "debit")


def _routes(cls: type[Memo], tag: str, noun: str) -> Iterator[Route]:
    """Make the routes of one kind; they stand under the bill."""
    declared = resource_of(cls)
    many, body = f"bills/{{billId}}/{declared.path}", declared.request_type
    one, name = f"{many}/{{id}}", cls.__name__

    def may(action: str) -> Permission:
        return Permission(f"config:{action}", declared.permission_object)

    def create(call: Call) -> Any:
        with call.writing() as tx:
            return memos.create_memo(tx, cls, call.path["billId"], call.body)

    def get(call: Call) -> Any:
        with call.reading() as tx:
            return memos.get_memo(tx, cls, call.path["billId"], call.path["id"])

    def update(call: Call) -> Any:
        with call.writing() as tx:
            return memos.update_memo(tx, cls, call.path["billId"], call.path["id"], call.body)

    def delete(call: Call) -> Any:
        with call.writing() as tx:
            return memos.delete_memo(tx, cls, call.path["billId"], call.path["id"])

    def list_page(call: Call) -> Any:
        page = call.page(LARGEST_PAGE)
        with call.reading() as tx:
            return memos.page_of_memos(tx, cls, call.path["billId"], page)

    def route(method: Any, path: str, action: str, handler: Any, verb: str, of: str, **more: Any) -> Route:
        where, summary = organization_path(path), f"{verb.capitalize()} {of} of a bill"
        operation = f"{verb}{name}{'s' if verb == 'list' else ''}"

        def handle(call: Call) -> Any:
            call.require(READ_BILL, call.path["billId"])
            return handler(call)

        return Route(method, where, may(action), handle, operation, tag, summary, **{"answer": cls} | more)

    paged: Any = {"answer": Page[cls], "query": paging(LARGEST_PAGE)}  # type: ignore[valid-type]
    a = f"a {noun}"
    yield route("POST", many, "create", create, "create", a, request=body)
    yield route("GET", many, "retrieve", list_page, "list", f"{noun}s", **paged)
    yield route("GET", one, "retrieve", get, "get", a)
    yield route("PUT", one, "update", update, "update", a, request=body)
    yield route("DELETE", one, "delete", delete, "delete", a)
