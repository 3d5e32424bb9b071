"""Mail against a real SMTP server on loopback, and into the folder."""

import email
import email.policy
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tallystick.api.server import free_port
from tallystick.platform import mail as mail_module
from tallystick.platform.mail import Attachment, Mail, MailFolder, MailNotSent, MailRefused, SmtpMailer
from tallystick.platform.sealed import SealBroken, Sealer

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
SENDER = "Acme Billing <billing@acme.example>"
PDF = Attachment("bill.pdf", "application/pdf", b"%PDF-1.7 \x00\xff")
HELLO = Mail(to="ada@example.com", subject="Your bill\r\nBcc: eve@example.com", text="Grüße", key="k1")


class Standing:
    def now(self) -> datetime:
        return NOW


class Inbox:
    """A mail server's handler: keeps what comes, refuses what its name says."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.users: list[str] = []

    async def handle_RCPT(self, _s: Any, _session: Any, envelope: Any, address: str, _o: Any) -> str:  # noqa: N802 - aiosmtpd's name
        answers = {"nobody@": "550 no such user", "busy@": "451 try later"}
        for start, answer in answers.items():
            if address.startswith(start):
                return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the same
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return "250 OK"

    def log_in(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        self.users.append(data.login.decode())
        return AuthResult(success=data.password == b"p@ss/word")


@contextmanager
def smtp_server(inbox: Inbox, **options: Any) -> Iterator[int]:
    port = free_port("127.0.0.1", 0)
    controller = Controller(inbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def mailer(tmp_path: Path) -> Callable[[str], SmtpMailer]:
    return lambda url: SmtpMailer(url, SENDER, Standing(), MailFolder(tmp_path, Standing(), SENDER))


def test_a_mail_arrives_whole(inbox: Inbox, mailer: Callable[[str], SmtpMailer]) -> None:
    with smtp_server(inbox) as port:
        sent = Mail(to=HELLO.to, subject=HELLO.subject, text=HELLO.text, key="k1", attachments=(PDF,))
        mailer(f"smtp://127.0.0.1:{port}").send(sent)
    (got,) = inbox.mails
    assert inbox.envelopes == [("billing@acme.example", ["ada@example.com"])]
    assert got["subject"] == "Your bill Bcc: eve@example.com"  # no header of its own
    assert (got["from"], got["message-id"], got["bcc"]) == (SENDER, "<k1@acme.example>", None)
    text, pdf = got.iter_parts()
    assert text.get_content().strip() == "Grüße"  # type: ignore[attr-defined]
    assert (pdf.get_filename(), pdf.get_content()) == (PDF.name, PDF.content)  # type: ignore[attr-defined]


def test_a_password_of_the_url_logs_in(inbox: Inbox, mailer: Callable[[str], SmtpMailer]) -> None:
    options = {"authenticator": inbox.log_in, "auth_require_tls": False, "auth_required": True}
    with smtp_server(inbox, **options) as port:
        mailer(f"smtp://me%40x:p%40ss%2Fword@127.0.0.1:{port}").send(HELLO)
        with pytest.raises(MailNotSent):
            mailer(f"smtp://me%40x:wrong@127.0.0.1:{port}").send(HELLO)
    assert (inbox.users[0], len(inbox.mails)) == ("me@x", 1)


def test_no_password_goes_out_without_tls(
    inbox: Inbox, mailer: Callable[[str], SmtpMailer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_module, "_LOCAL", set())
    options = {"authenticator": inbox.log_in, "auth_require_tls": False}
    with smtp_server(inbox, **options) as port, pytest.raises(MailNotSent, match="no TLS"):
        mailer(f"smtp://me:secret@127.0.0.1:{port}").send(HELLO)
    assert not inbox.users


def test_tls_is_begun_where_it_is_offered_and_its_certificate_checked(
    inbox: Inbox,
    mailer: Callable[[str], SmtpMailer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with smtp_server(inbox, tls_context=context, require_starttls=True) as port:
        with pytest.raises(MailNotSent, match="CERTIFICATE_VERIFY_FAILED"):
            mailer(f"smtp://localhost:{port}").send(HELLO)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        mailer(f"smtp://localhost:{port}").send(HELLO)
    assert len(inbox.mails) == 1


def test_later_is_told_from_never_and_nothing_is_lost(
    inbox: Inbox, mailer: Callable[[str], SmtpMailer], tmp_path: Path
) -> None:
    with smtp_server(inbox) as port:
        smtp = mailer(f"smtp://127.0.0.1:{port}")
        with pytest.raises(MailNotSent):
            smtp.send(Mail(to="busy@example.com", subject="s", text="t", key="k"))
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(MailRefused):
            smtp.send(Mail(to="nobody@example.com", subject="s", text="t", key="k"))
        (kept,) = tmp_path.iterdir()
        assert b"nobody@example.com" in kept.read_bytes()
    with pytest.raises(MailNotSent):  # nobody listens any more
        smtp.send(HELLO)


def test_without_a_server_mail_is_kept_where_only_the_operator_reads_it(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path / "mail", Standing(), SENDER)
    folder.send(HELLO)
    folder.send(HELLO)
    kept = sorted((tmp_path / "mail").iterdir())
    assert [file.stat().st_mode & 0o777 for file in kept] == [0o600, 0o600]
    assert kept[0].name.startswith("20250601T120000-")
    read = email.message_from_bytes(kept[0].read_bytes(), policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert read.get_content().strip() == "Grüße"


def test_what_is_sealed_opens_only_for_its_purpose_and_secret() -> None:
    box = Sealer(b"s" * 32, "single sign-on")
    sealed = box.seal("client secret")
    assert "client" not in sealed
    assert box.open(sealed) == "client secret"
    for other in (Sealer(b"t" * 32, "single sign-on"), Sealer(b"s" * 32, "webhooks")):
        with pytest.raises(SealBroken):
            other.open(sealed)
    with pytest.raises(SealBroken):
        box.open(sealed[:-6] + "AAAAAA")


def self_signed(folder: Path) -> Path:
    """Make a certificate of localhost, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "cert.pem"
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(pem, form, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(pem) + private)
    return file
