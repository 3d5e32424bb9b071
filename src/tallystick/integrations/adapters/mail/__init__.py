"""Mail: the bill to its account's address, or to one address for all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from tallystick.billing.bill import BillAnswer
from tallystick.integrations.adapter import Option, Outgoing, Sent, System
from tallystick.integrations.errors import EntityRefused
from tallystick.kernel.problems import Problem
from tallystick.platform.mail import Attachment, Mail, Mailer, MailRefused

SYSTEM: Final = System(
    "MAIL",
    "Mail of the bill",
    ("Bill",),
    options=(
        Option("to", "One address for all; else the account's own"),
        Option("subject", "The subject; {bill}, {account} and {total} are filled in"),
        Option("text", "The text; {bill}, {account}, {total}, {start}, {end} and {due} are filled in"),
    ),
    categories=("messaging",),
)
SUBJECT: Final = "Bill {bill}: {total}"
TEXT: Final = """Hello {account},

your bill {bill} for {start} to {end} comes to {total}.
It is due on {due}.
"""
Pdf = Callable[[str, BillAnswer], bytes]
"Make the PDF of a bill: organization, bill."


class MailAdapter:
    """Sends the bill by mail. pdf: makes what is attached; without it only the text goes."""

    system = SYSTEM

    def __init__(self, mailer: Mailer, pdf: Pdf | None = None) -> None:
        self._mailer = mailer
        self._pdf = pdf

    def check(self, config: Mapping[str, Any]) -> Iterator[Problem]:
        """Texts name only what can be filled in."""
        names = {"bill", "account", "total", "start", "end", "due"}
        for name in ("subject", "text"):
            text = config.get(name)
            if isinstance(text, str) and _filled(text, dict.fromkeys(names, "")) is None:
                listed = ", ".join(f"{{{each}}}" for each in sorted(names))
                yield Problem(name, "wrong_format", f"may name {listed} in braces, and nothing else")
        to = config.get("to")
        if to is not None and (not isinstance(to, str) or "@" not in to):
            yield Problem("to", "wrong_format", "must be a mail address")

    def send(self, outgoing: Outgoing) -> Sent:
        """Send the mail. Raises MailNotSent, EntityRefused."""
        bill, account = outgoing.bill, outgoing.account
        if bill is None or account is None:
            raise EntityRefused("Only bills can be sent by mail.")
        to = str(outgoing.config.get("to") or account.email_address)
        facts = _facts(bill, account.name)
        attachments: tuple[Attachment, ...] = ()
        if self._pdf is not None:
            name = f"bill-{facts['bill']}.pdf"
            attachments = (Attachment(name, "application/pdf", self._pdf(outgoing.org_id, bill)),)
        mail = Mail(
            to=to,
            subject=_filled(str(outgoing.config.get("subject") or SUBJECT), facts) or "",
            text=_filled(str(outgoing.config.get("text") or TEXT), facts) or "",
            key=outgoing.key,
            attachments=attachments,
        )
        try:
            self._mailer.send(mail)
        except MailRefused as error:
            raise EntityRefused(error.message) from error
        return Sent(
            external_id=outgoing.key, log={"to": to, "subject": mail.subject, "pdf": bool(attachments)}
        )

    def known(
        self, entity_type: str, table: str | None, credentials: Mapping[str, str]
    ) -> Sequence[tuple[str, str]]:
        """Mail knows nothing by an id."""
        return ()


def _facts(bill: BillAnswer, account: str) -> dict[str, str]:
    return {
        "bill": bill.sequential_invoice_number or bill.id,
        "account": account,
        "total": f"{bill.bill_total:f} {bill.currency}",
        "start": bill.start_date.isoformat(),
        "end": bill.end_date.isoformat(),
        "due": bill.due_date.isoformat(),
    }


def _filled(text: str, facts: Mapping[str, str]) -> str | None:
    """Fill names in braces; None when one is unknown. Nothing but plain names: no attributes, no formats."""
    filled = text
    for name, value in facts.items():
        filled = filled.replace(f"{{{name}}}", value)
    left = text
    for name in facts:
        left = left.replace(f"{{{name}}}", "")
    return None if "{" in left or "}" in left else filled
