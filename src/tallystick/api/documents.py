"""Bills and statements as PDF, and what an organization's documents say."""

from collections.abc import Iterator
from typing import Any, Final

from tallystick.api.routes import Call, PageAnswer, Permission, QueryParameter, Route, organization_path
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
    path = organization_path("documentsettings")
    read, update = (Permission(f"config:{a}", _SETTINGS.permission_object) for a in ("retrieve", "update"))
    told: Any = {"answer": DocumentSettings}
    name, tag = "DocumentSettings", "DocumentSettings"
    summary = "Get what bills and statements say beside the data"
    yield Route("GET", path, read, get_settings, f"get{name}", tag, summary, **told)
    told["request"] = _SETTINGS.request_type
    summary = "Set what bills and statements say beside the data"
    yield Route("PUT", path, update, put_settings, f"update{name}", tag, summary, **told)
    path, query = organization_path("bills/{id}/pdf"), (QueryParameter("appendix", bool),)
    yield Route("GET", path, READ_BILL, get_bill_pdf, "getBillPdf", "Bill", "Get a bill as PDF", query=query)
    path = organization_path("bills/{id}/statement/pdf")
    summary = "Get a bill's statement as PDF"
    yield Route("GET", path, READ_BILL, get_statement_pdf, "getBillPdfStatement", "Bill", summary)


def get_settings(call: Call) -> DocumentSettings:
    """Give the settings, or the defaults with version 0."""
    with call.reading() as tx:
        return document_settings(tx)


def put_settings(call: Call) -> DocumentSettings:
    """Store the settings."""
    with call.writing() as tx:
        return put_document_settings(tx, call.body)


def get_bill_pdf(call: Call) -> PageAnswer:
    """Render a bill; `appendix` wins over the settings."""
    appendix = call.flag("appendix") if call.one("appendix") else None
    with call.services.database.snapshot(call.org_id) as tx:
        document = bill_document(tx, call.path["id"], appendix=appendix)
    return _pdf(render_bill(document), f"bill-{call.path['id']}")


def get_statement_pdf(call: Call) -> PageAnswer:
    """Render the newest statement of a bill."""
    with call.services.database.snapshot(call.org_id) as tx:
        document = statement_document(tx, call.services.files, call.path["id"])
    return _pdf(render_statement(document), f"statement-{call.path['id']}")


def _pdf(content: bytes, name: str) -> PageAnswer:
    return PageAnswer(content, PDF, {"content-disposition": f'inline; filename="{name}.pdf"'})
