"""Stripe: an invoice for each approved bill, through Stripe's own library."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from http import HTTPStatus
from typing import Any, Final

import stripe

from tallystick.billing.bill import BillAnswer
from tallystick.integrations.adapter import Option, Outgoing, Sent, System
from tallystick.integrations.adapters.stripe.amounts import minor_units
from tallystick.integrations.errors import (
    AuthenticationFailed,
    EntityRefused,
    InvoiceAlreadyPaid,
    MappingMissing,
    RateLimited,
    SystemUnavailable,
)
from tallystick.kernel.problems import Problem

TIMEOUT_S: Final = 30
_REFUSES: Final = {*range(HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)} - {HTTPStatus.CONFLICT}
LONGEST_DESCRIPTION: Final = 500
MOST_LISTED: Final = 100
BILL_KEY: Final = "tallystick_bill"
OPTIONS: Final = (
    Option(
        "finalize",
        "Finalize the invoice; else it stays a draft",
        values=("true", "false"),
    ),
    Option("collectionMethod", "How it is paid", values=("send_invoice", "charge_automatically")),
)


class StripeAdapter:
    """Makes invoices. Told the same twice, Stripe has one: every request carries a key made of the bill.

    name: STRIPE, or STRIPE_TEST. url: of Stripe's API, or of what stands in for it.
    """

    def __init__(self, name: str = "STRIPE", url: str | None = None) -> None:
        label = "Stripe" if name == "STRIPE" else "Stripe (test mode)"
        self.system = System(
            name,
            label,
            ("Bill",),
            ("STATIC_API_KEY",),
            OPTIONS,
            ("Customer", "Invoice", "Product"),
            ("billing", "payments"),
        )
        self._url = url

    def check(self, config: Mapping[str, Any]) -> Iterator[Problem]:
        """Nothing beyond what the options say."""
        yield from ()

    def send(self, outgoing: Outgoing) -> Sent:
        """Make the invoice of a bill. Raises what integrations.errors has."""
        bill = outgoing.bill
        if bill is None:
            raise EntityRefused("Only bills can be sent to Stripe.")
        customer = outgoing.mapping("Account", bill.account_id, "Customer")
        if customer is None:
            message = f"The account {bill.account_code} is mapped to no Customer of {self.system.name}."
            raise MappingMissing(message)
        amounts = [minor_units(line.converted_subtotal, bill.currency) for line in bill.line_items or []]
        client = self._client(outgoing.credentials)
        with _stripe():
            found = self._existing(client, outgoing, bill, customer)
            if found is None:
                found = _create(client, outgoing, bill, customer)
                outgoing.note(found.id)
            if found.status == "draft":
                _fill(client, bill, customer, found.id, amounts)
                if str(outgoing.config.get("finalize")).lower() == "true":
                    found = client.v1.invoices.finalize_invoice(found.id, options=_key(bill, "finalize"))
        return Sent(
            external_id=found.id,
            table="Invoice",
            url=getattr(found, "hosted_invoice_url", None),
            log={
                "invoice": found.id,
                "lines": len(amounts),
                "total": sum(amounts),
                "currency": bill.currency,
            },
        )

    def known(
        self, entity_type: str, table: str | None, credentials: Mapping[str, str]
    ) -> Sequence[tuple[str, str]]:
        """List customers for accounts and products for products, the newest hundred."""
        client = self._client(credentials)
        with _stripe():
            if entity_type.lower() == "account":
                customers = client.v1.customers.list({"limit": MOST_LISTED})
                return [(each.id, each.name or each.email or each.id) for each in customers.data]
            if entity_type.lower() == "product":
                products = client.v1.products.list({"limit": MOST_LISTED})
                return [(each.id, each.name) for each in products.data]
        return ()

    def _existing(
        self, client: stripe.StripeClient, outgoing: Outgoing, bill: BillAnswer, customer: str
    ) -> stripe.Invoice | None:
        """Find the invoice of an earlier attempt or run; None when a new one is to be made.

        A draft of another state of the bill makes room; a paid invoice stays, and so does one that was sent.
        """
        invoice_id = outgoing.sent_before
        if invoice_id is None:
            return _listed(client, outgoing, bill, customer) if outgoing.attempt > 1 else None
        found = client.v1.invoices.retrieve(invoice_id)
        if _is_of(found, bill):
            return found
        if found.status == "draft":
            client.v1.invoices.delete(invoice_id)
            return None
        if found.status == "void":
            return None
        if found.status == "paid":
            raise InvoiceAlreadyPaid(f"The bill was changed, and its invoice {invoice_id} is paid.")
        message = f"The bill was changed, and its invoice {invoice_id} is {found.status}: void that first."
        raise EntityRefused(message)

    def _client(self, credentials: Mapping[str, str]) -> stripe.StripeClient:
        key = credentials.get("apiKey")
        if not key:
            raise AuthenticationFailed("The configuration has no credentials with an apiKey of Stripe.")
        more: dict[str, Any] = {"base_addresses": {"api": self._url}} if self._url else {}
        http = stripe.RequestsClient(timeout=TIMEOUT_S)
        return stripe.StripeClient(key, http_client=http, max_network_retries=0, **more)


def _listed(
    client: stripe.StripeClient, outgoing: Outgoing, bill: BillAnswer, customer: str
) -> stripe.Invoice | None:
    """Look for an invoice that an earlier attempt may have made: Stripe forgets keys after a day."""
    since = int(outgoing.first_attempt_at.astimezone(UTC).timestamp()) - 3600
    asked: Any = {"customer": customer, "created": {"gte": since}, "limit": MOST_LISTED}
    for found in client.v1.invoices.list(asked).auto_paging_iter():
        if _is_of(found, bill):
            return found
    return None


def _is_of(invoice: stripe.Invoice, bill: BillAnswer) -> bool:
    return _metadata(invoice).get(BILL_KEY) == _state(bill)


def _metadata(thing: Any) -> dict[str, Any]:
    return thing.metadata.to_dict() if thing.metadata else {}


def _state(bill: BillAnswer) -> str:
    """Name a bill in the state it is sent in: when its lines change, it is another one.

    Not by its version: approving it once more changes that and nothing else.
    """
    lines = "\n".join(f"{line.id} {line.converted_subtotal:f}" for line in bill.line_items or [])
    return f"{bill.id}:{hashlib.sha256(lines.encode()).hexdigest()[:16]}"


def _key(bill: BillAnswer, what: str) -> Any:
    return {"idempotency_key": f"tallystick:{_state(bill)}:{what}"}


def _create(
    client: stripe.StripeClient, outgoing: Outgoing, bill: BillAnswer, customer: str
) -> stripe.Invoice:
    params: dict[str, Any] = {
        "customer": customer,
        "currency": bill.currency.lower(),
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
        "metadata": {BILL_KEY: _state(bill), "tallystick_bill_id": bill.id, "tallystick_run": outgoing.key},
        "description": f"{bill.start_date} to {bill.end_date}",
    }
    method = outgoing.config.get("collectionMethod") or "send_invoice"
    params["collection_method"] = method
    if method == "send_invoice":
        params["days_until_due"] = max(0, (bill.due_date - bill.bill_date).days)
    if bill.sequential_invoice_number:
        params["number"] = bill.sequential_invoice_number
    created: Callable[..., stripe.Invoice] = client.v1.invoices.create
    return created(params, options=_key(bill, f"{customer}:invoice"))


def _fill(
    client: stripe.StripeClient, bill: BillAnswer, customer: str, invoice_id: str, amounts: Sequence[int]
) -> None:
    """Put the bill's lines on the draft: each once, by a key of its own."""
    there = {
        str(_metadata(item).get("tallystick_line"))
        for item in client.v1.invoice_items.list(
            {"invoice": invoice_id, "limit": MOST_LISTED}
        ).auto_paging_iter()
    }
    for line, amount in zip(bill.line_items or [], amounts, strict=True):
        if line.id in there:
            continue
        params: Any = {
            "customer": customer,
            "invoice": invoice_id,
            "amount": amount,
            "currency": bill.currency.lower(),
            "description": line.description[:LONGEST_DESCRIPTION],
            "metadata": {"tallystick_line": line.id},
            "period": {
                "start": int(line.service_period_start_date.timestamp()),
                "end": int(line.service_period_end_date.timestamp()),
            },
        }
        client.v1.invoice_items.create(params, options=_key(bill, f"{invoice_id}:{line.id}"))


@contextmanager
def _stripe() -> Iterator[None]:
    """Say in our words what Stripe's library raises."""
    try:
        yield
    except stripe.AuthenticationError as error:
        raise AuthenticationFailed("Stripe does not accept the API key.") from error
    except stripe.PermissionError as error:
        raise AuthenticationFailed(
            f"Stripe does not allow this to the API key: {error.user_message}"
        ) from error
    except stripe.RateLimitError as error:
        wait = str((error.headers or {}).get("Retry-After", ""))
        seconds = int(wait) if wait.isdigit() else None
        raise RateLimited("Stripe wants to be asked more slowly.", retry_after_s=seconds) from error
    except stripe.APIConnectionError as error:
        timed_out = "timeout" in str(error).lower() or "timed out" in str(error).lower()
        raise SystemUnavailable("Stripe cannot be reached.", timed_out=timed_out) from error
    except stripe.InvalidRequestError as error:
        raise EntityRefused(f"Stripe refuses this: {error.user_message or error}") from error
    except stripe.StripeError as error:
        if error.http_status is not None and error.http_status in _REFUSES:
            raise EntityRefused(f"Stripe refuses this: {error.user_message or error}") from error
        raise SystemUnavailable(f"Stripe failed: {error.user_message or type(error).__name__}") from error
