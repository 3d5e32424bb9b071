"""Bills and statements as PDF, and what an organization's documents say."""

from collections.abc import Iterator
from typing import Final

from tallystick.api.routes import Call, PageAnswer, Permission, QueryParameter, Route, verb_route
from tallystick.billing.bill import Bill
from tallystick.platform.resources import resource_of
from tallystick.statements.documents.service import (
    bill_document,
    render_bill,
    render_statement,
    statement_document,
)
from tallystick.statements.documents.settings import (
    DocumentSettings,
    document_settings,
    put_document_settings,
)

_SETTINGS: Final = resource_of(DocumentSettings)
READ_BILL: Final = Permission("config:retrieve", resource_of(Bill).permission_object)
PDF: Final = "application/pdf"


def document_routes() -> Iterator[Route]:
    """Make the routes."""
    tag = DocumentSettings.__name__
    path, body, answer = _SETTINGS.path, _SETTINGS.request_type, DocumentSettings
    read, update = (Permission(f"config:{a}", _SETTINGS.permission_object) for a in ("retrieve", "update"))
    yield verb_route("GET", path, read, get_settings, f"get{tag}", tag, answer=answer)
    yield verb_route("PUT", path, update, put_settings, f"update{tag}", tag, request=body, answer=answer)
    path, query = "bills/{id}/pdf", (QueryParameter("appendix", bool),)
    yield verb_route("GET", path, READ_BILL, get_bill_pdf, "getBillPdf", "Bill", query=query)
    path = "bills/{id}/statement/pdf"
    yield verb_route("GET", path, READ_BILL, get_statement_pdf, "getBillPdfStatement", "Bill")


def get_settings(call: Call) -> DocumentSettings:
    """Get what bills and statements say beside the data. Defaults have the version 0."""
    with call.reading() as tx:
        return document_settings(tx)


def put_settings(call: Call) -> DocumentSettings:
    """Set what bills and statements say beside the data."""
    with call.writing() as tx:
        return put_document_settings(tx, call.body)


def get_bill_pdf(call: Call) -> PageAnswer:
    """Get a bill as PDF; `appendix` wins over the settings."""
    appendix = call.flag("appendix") if call.one("appendix") else None
    with call.services.database.snapshot(call.org_id) as tx:
        document = bill_document(tx, call.path["id"], appendix=appendix)
    return _pdf(render_bill(document), f"bill-{call.path['id']}")


def get_statement_pdf(call: Call) -> PageAnswer:
    """Get a bill's newest statement as PDF."""
    with call.services.database.snapshot(call.org_id) as tx:
        document = statement_document(tx, call.services.files, call.path["id"])
    return _pdf(render_statement(document), f"statement-{call.path['id']}")


def _pdf(content: bytes, name: str) -> PageAnswer:
    return PageAnswer(content, PDF, {"content-disposition": f'inline; filename="{name}.pdf"'})
