"""Mail: over SMTP when the operator names a server, else into a folder where the operator finds it.

Send from a job, never inside a transaction: what is sent is made there from what is stored, so that a
mail that must be tried again says what is true then, and secrets in it are never stored readably.
"""

import os
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import msgspec
import structlog

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import Invalid, Unavailable
from tallystick.platform.ids import new_id

PORTS: Final = {"smtp": 587, "smtps": 465}
TIMEOUT_S: Final = 30
LONGEST_SUBJECT: Final = 200
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_PERMANENT = 500
_log = structlog.get_logger(__name__)


class MailNotSent(Unavailable):
    """The mail server could not be reached, or asks to be tried again later."""

    code = "mail_not_sent"


class MailRefused(Invalid):
    """The mail server will never take this mail, for example because there is no such recipient."""

    code = "mail_refused"


class Attachment(msgspec.Struct, frozen=True):
    """A file that goes with a mail. media_type: such as application/pdf."""

    name: str
    media_type: str
    content: bytes


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail to one recipient.

    key: the same when the same mail is tried again; it makes the Message-ID, by which a mail server and a
    reader's program know a repeat.
    """

    to: str
    subject: str
    text: str
    key: str
    attachments: tuple[Attachment, ...] = ()


class Mailer(Protocol):
    """Sends mail."""

    def send(self, mail: Mail) -> None:
        """Send one mail. Raises MailNotSent when it may go later, MailRefused when it never will."""
        ...


class MailFolder:
    """Keeps each mail as an .eml file that only the operator can read: no mail server is named."""

    def __init__(self, folder: Path, clock: Clock, sender: str) -> None:
        self._folder = folder
        self._clock = clock
        self._sender = sender

    def send(self, mail: Mail) -> None:
        """Write the mail. One that is sent again is written again."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{self._clock.now():%Y%m%dT%H%M%S}-{new_id()}.eml"
        draft = self._folder / f"{name}.part"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(bytes(message(mail, self._sender, self._clock)))
        draft.replace(self._folder / name)
        _log.warning("mail_written", file=str(self._folder / name), hint="set TALLYSTICK_SMTP_URL to send it")


class SmtpMailer:
    """Sends over SMTP: `smtp://user:password@host:587`, or `smtps://` for TLS from the first byte.

    With smtp:// TLS is begun whenever the server offers it; a password is never sent without TLS, except
    to this machine. refused: where a mail that no server will take is kept for the operator.
    """

    def __init__(self, url: str, sender: str, clock: Clock, refused: MailFolder) -> None:
        parts = urlsplit(url)
        self._scheme = parts.scheme
        self._host = parts.hostname or "localhost"
        self._port = parts.port or PORTS[parts.scheme]
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender
        self._clock = clock
        self._refused = refused

    def send(self, mail: Mail) -> None:
        """Hand the mail to the server. Raises MailNotSent, MailRefused."""
        ready = message(mail, self._sender, self._clock)
        try:
            with self._connected() as smtp:
                smtp.send_message(ready, from_addr=address_of(self._sender), to_addrs=[mail.to])
        except (smtplib.SMTPException, OSError) as error:
            if _is_permanent(error):
                self._refused.send(mail)
                raise MailRefused(f"The mail server refused this mail: {error}", key=mail.key) from error
            raise MailNotSent(f"The mail server did not take this mail: {error}", key=mail.key) from error
        _log.info("mail_sent", key=mail.key)

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        secure = ssl.create_default_context()
        if self._scheme == "smtps":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=TIMEOUT_S, context=secure)
        else:
            smtp = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S)
        with smtp:
            smtp.ehlo()
            safe = self._scheme == "smtps" or self._host in _LOCAL
            if self._scheme == "smtp" and smtp.has_extn("starttls"):
                smtp.starttls(context=secure)
                smtp.ehlo()
                safe = True
            if self._user:
                if not safe:
                    raise MailNotSent("The mail server offers no TLS, so it is not told the password.")
                smtp.login(self._user, self._password)
            yield smtp


def message(mail: Mail, sender: str, clock: Clock) -> EmailMessage:
    """Make the message that is sent. Line breaks in a header become spaces."""
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["To"] = mail.to
    made["Subject"] = " ".join(mail.subject.split())[:LONGEST_SUBJECT]
    made["Date"] = format_datetime(clock.now())
    made["Message-ID"] = f"<{mail.key}@{address_of(sender).rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(mail.text)
    for part in mail.attachments:
        main, _, sub = part.media_type.partition("/")
        made.add_attachment(part.content, maintype=main, subtype=sub, filename=part.name)
    return made


def address_of(sender: str) -> str:
    """Give the bare address of `Name <address>`."""
    return sender.rpartition("<")[2].rstrip(">").strip()


def _is_permanent(error: Exception) -> bool:
    """Tell whether the server said never: 5xx about this mail, not about our log-in or its own state."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= _PERMANENT for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPConnectError | smtplib.SMTPHeloError):
        return False
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= _PERMANENT
