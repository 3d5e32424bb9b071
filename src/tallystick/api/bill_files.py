"""Files of bills, by signed links: all of a span as CSV, and the usage behind lines as JSON."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from tallystick.api.bills import READ_LINES, READ_MANY
from tallystick.api.routes import SIGNED, Call, Route, StreamAnswer, organization_path
from tallystick.api.statements import ObjectUrl
from tallystick.billing import service
from tallystick.billing.csv_file import ExternalSystem, Wanted, check_size, csv_pieces
from tallystick.billing.derivation import UsageSource
from tallystick.billing.line_item import LineItem
from tallystick.kernel.problems import Problem
from tallystick.platform.resources.checks import in_order
from tallystick.platform.resources.wire import InvalidBody, encode
from tallystick.usage.query.request import DataExplorerFilter, UsageQueryRequest

LIFETIME: Final = timedelta(hours=1)
NONE: Final = "-"
ALL_LINES: Final = "all"
TO_CSV: Final = "/downloads/{orgId}/bills/csv/{system}/{start}/{end}/{invoiceStart}/{invoiceEnd}"
TO_USAGE: Final = "/downloads/{orgId}/bills/{billId}/usage/{id}"
_SPAN: Final = ("start", "end", "invoiceStart", "invoiceEnd")


class DownloadCsvRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """Which bills: by billDate, by externalInvoiceDate, or both. Starts are included, ends are not."""

    start_date: datetime | None = None
    end_date: datetime | None = None
    external_invoice_date_start: datetime | None = None
    external_invoice_date_end: datetime | None = None
    external_system: ExternalSystem = ExternalSystem.STANDARD


def bill_file_routes() -> Iterator[Route]:
    """Make the routes."""
    csv: Any = {"request": DownloadCsvRequest, "answer": ObjectUrl, "repeatable": True}
    where, summary = organization_path("bills/download/csv/url"), "Get a link to bills as CSV"
    yield Route("POST", where, READ_MANY, link_csv, "downloadBillsCsvUrl", "Bill", summary, **csv)
    lines = "bills/{billId}/lineitems"
    where, summary = organization_path(f"{lines}/{{id}}/usage/json"), "Get a link to the usage of a line"
    yield Route(
        "GET", where, READ_LINES, link_usage, "getBillLineItemUsage", "Bill", summary, answer=ObjectUrl
    )
    where, summary = organization_path(f"{lines}/usage/json"), "Get a link to the usage of all lines"
    yield Route("GET", where, READ_LINES, link_all_usage, "getBillUsage", "Bill", summary, answer=ObjectUrl)
    summary = "Download bills as CSV by a signed link"
    yield Route("GET", TO_CSV, None, download_csv, "downloadBillsCsv", "Bill", summary, query=SIGNED)
    summary = "Download the usage of lines by a signed link"
    yield Route("GET", TO_USAGE, None, download_usage, "downloadBillUsage", "Bill", summary, query=SIGNED)


def link_csv(call: Call) -> ObjectUrl:
    """Give a link to the file; it is made when it is downloaded."""
    body: DownloadCsvRequest = call.body
    spans = (
        (body.start_date, body.end_date, "endDate"),
        (body.external_invoice_date_start, body.external_invoice_date_end, "externalInvoiceDateEnd"),
    )
    problems: list[Problem] = [problem for span in spans for problem in in_order(*span)]
    if problems:
        raise InvalidBody(problems)
    days = (body.start_date, body.end_date, body.external_invoice_date_start, body.external_invoice_date_end)
    with call.reading() as tx:
        check_size(tx, Wanted(body.external_system, *days))
    given = {name: NONE if day is None else f"{day.date()}" for name, day in zip(_SPAN, days, strict=True)}
    path = TO_CSV.format(orgId=call.org_id, system=body.external_system.value, **given)
    return ObjectUrl(download_url=call.link(path, LIFETIME))


def download_csv(call: Call) -> StreamAnswer:
    """Send the file to whoever has a signed link. Raises BadSignature, LinkExpired."""
    call.check_link(TO_CSV)
    system = ExternalSystem(call.path["system"])
    wanted = Wanted(system, *(_day(call.path[name]) for name in _SPAN))
    database, org_id = call.services.database, call.path["orgId"]
    with database.reading(org_id) as tx:
        check_size(tx, wanted)

    def pieces() -> Iterator[bytes]:
        with database.snapshot(org_id) as tx:
            yield from csv_pieces(tx, wanted)

    return StreamAnswer(pieces(), "text/csv; charset=utf-8", f"bills-{system.value.lower()}.csv")


def link_usage(call: Call) -> ObjectUrl:
    """Give a link to the measurements that a line is made of."""
    with call.reading() as tx:
        line = service.get_line(tx, call.path["billId"], call.path["id"])
    path = TO_USAGE.format(orgId=call.org_id, billId=line.bill_id, id=line.id)
    return ObjectUrl(download_url=call.link(path, LIFETIME))


def link_all_usage(call: Call) -> ObjectUrl:
    """Give a link to the measurements that a bill is made of."""
    with call.reading() as tx:
        bill = service.get_bill(tx, call.path["billId"])
    path = TO_USAGE.format(orgId=call.org_id, billId=bill.id, id=ALL_LINES)
    return ObjectUrl(download_url=call.link(path, LIFETIME))


def download_usage(call: Call) -> StreamAnswer:
    """Send the measurements to whoever has a signed link. Raises BadSignature, LinkExpired."""
    call.check_link(TO_USAGE)
    bill_id, wanted = call.path["billId"], call.path["id"]
    with call.services.database.reading(call.path["orgId"]) as tx:
        if wanted == ALL_LINES:
            lines = service.lines_of_bill(tx, bill_id)
        else:
            lines = [service.get_line(tx, bill_id, wanted)]
    return StreamAnswer(_usage(call, lines), "application/json", f"usage-{bill_id}.json")


def _usage(call: Call, lines: list[LineItem]) -> Iterator[bytes]:
    """Write the measurements of lines: `{"lineItems": [{"lineItemId": …, "usage": [ … ]}, …]}`."""
    yield b'{"lineItems":['
    for number, line in enumerate(lines):
        start = encode({"lineItemId": line.id, "description": line.description})[:-1]
        yield (b"," if number else b"") + start + b',"usage":['
        is_first = True
        for source in _sources(line):
            for row in _measurements(call, source):
                yield (b"" if is_first else b",") + row
                is_first = False
        yield b"]}"
    yield b"]}"


def _sources(line: LineItem) -> Iterator[UsageSource]:
    """Give the queries that a line's quantity was asked by; a calculation has several."""
    why = line.derivation
    if why is not None and why.usage is not None:
        yield why.usage
    for each in why.calculation.inputs if why is not None and why.calculation is not None else ():
        if each.usage is not None:
            yield each.usage


def _measurements(call: Call, source: UsageSource) -> Iterator[bytes]:
    """Write what a query found, a measurement at a time. A segment's `*` is every value."""
    chosen = {field: value for field, value in (source.segment or {}).items() if value != "*"}
    query = UsageQueryRequest(
        start_date=source.start,
        end_date=source.end,
        meter_ids=[source.meter_id],
        account_ids=list(source.account_ids),
        dimension_filters=[
            DataExplorerFilter(meter_id=source.meter_id, field_code=field, values=[value])
            for field, value in chosen.items()
        ],
    )
    listed = call.services.usage_rows.read(call.path["orgId"], query)
    for rows in listed.pieces:
        for row in rows:
            measurement: dict[str, Any] = {}
            for column, value in zip(listed.columns, row, strict=True):
                if value is not None:
                    place = measurement
                    for part in column.path[:-1]:
                        place = place.setdefault(part, {})
                    place[column.path[-1]] = value
            yield encode(measurement)


def _day(text: str) -> datetime | None:
    return None if text == NONE else datetime.fromisoformat(f"{text}T00:00:00+00:00")
