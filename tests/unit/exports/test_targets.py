"""Files reach buckets over the wire: S3 through a role, Google's by a federated identity (semantics §30)."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest

from tallystick.exports.destination import DestinationType, ExportDestination
from tallystick.exports.errors import DestinationRefused, DestinationUnavailable
from tallystick.exports.targets import CloudTargets
from tests.support.objects import make_bucket, objects, s3_server

ORG = "0192c3a0-0000-7000-8000-000000000001"
BODY = b"rows" * 3_000_000
"More than one part of an upload."


class Google:
    """What stands in for Google: token exchange, impersonation, and the XML API of one bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.exchanged: list[dict[str, str]] = []
        self.parts: dict[int, bytes] = {}
        self.forbidden = False
        self.url = ""

    def post(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        if path == "/token":
            self.exchanged.append({k: v[0] for k, v in parse_qs(body.decode()).items()})
            token = {
                "access_token": "federated",
                "expires_in": 3600,
                "token_type": "Bearer",
                "issued_token_type": "x",
            }
            return 200, "application/json", json.dumps(token).encode()
        if path.startswith("/impersonate/"):
            answer = {"accessToken": "impersonated", "expireTime": "2099-01-01T00:00:00Z"}
            return 200, "application/json", json.dumps(answer).encode()
        if path.endswith("?uploads="):
            return (
                200,
                "application/xml",
                b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>",
            )
        key = path.partition("?")[0].removeprefix("/gbucket/")
        self.objects[key] = b"".join(self.parts[number] for number in sorted(self.parts))
        return (
            200,
            "application/xml",
            b'<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>',
        )

    def put(self, path: str, body: bytes, auth: str) -> int:
        if auth != "Bearer impersonated" or self.forbidden:
            return 403
        key, _, query = path.partition("?")
        if "partNumber" in query:
            self.parts[int(parse_qs(query)["partNumber"][0])] = body
        else:
            self.objects[key.removeprefix("/gbucket/")] = body
        return 200


@pytest.fixture
def google() -> Iterator[Google]:
    stub = Google()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("content-length") or 0))

        def _send(self, status: int, kind: str = "text/plain", body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("ETag", '"e"')
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self._send(*stub.post(self.path, self._body()))

        def do_PUT(self) -> None:
            self._send(stub.put(self.path, self._body(), self.headers.get("Authorization", "")))

        def do_DELETE(self) -> None:
            self._send(204)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, name="google")
    thread.start()
    yield stub
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(BODY)
    return path


def bucket(kind: DestinationType, **more: Any) -> ExportDestination:
    base: dict[str, Any] = {"name": "b", "code": "b", "destination_type": kind, "bucket_name": "gbucket"}
    return ExportDestination(**base | more)


def gcs() -> ExportDestination:
    facts = {"project_number": "42", "pool_id": "pool", "provider_id": "tally"}
    return bucket(DestinationType.GCS, **facts, service_account_email="exports@p.iam.gserviceaccount.com")


def google_targets(google: Google, tmp_path: Path) -> CloudTargets:
    token = tmp_path / "token"
    token.write_text("who-this-server-is")
    urls = {"token_url": f"{google.url}/token", "impersonation_url": f"{google.url}/impersonate"}
    return CloudTargets(str(token), urls, google.url)


def test_gcs(google: Google, tmp_path: Path, file: Path) -> None:
    google_targets(google, tmp_path).put(ORG, gcs(), "a/date=2024-01-01/f.csv.gz", file)
    [(key, body)] = google.objects.items()
    assert unquote(key) == "a/date=2024-01-01/f.csv.gz"
    assert body == BODY
    pool = "//iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/pool/providers/tally"
    assert google.exchanged[0]["audience"] == pool
    assert google.exchanged[0]["subject_token"] == "who-this-server-is"


def test_gcs_that_refuses(google: Google, tmp_path: Path, file: Path) -> None:
    google.forbidden = True
    with pytest.raises(DestinationRefused):
        google_targets(google, tmp_path).put(ORG, gcs(), "a", file)
    with pytest.raises(DestinationRefused, match="TALLYSTICK_GCS_TOKEN_FILE"):
        CloudTargets().put(ORG, gcs(), "a", file)


def s3_bucket(name: str) -> ExportDestination:
    return bucket(DestinationType.S3, bucket_name=name, iam_role_arn="arn:aws:iam::123456789012:role/x")


def test_s3_in_another_region(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    with s3_server(monkeypatch) as url:
        make_bucket(url, "far-away", region="ap-southeast-2")
        CloudTargets().put(ORG, s3_bucket("far-away"), "a/date=2024-01-01/f", file)
        CloudTargets().put(ORG, s3_bucket("far-away"), "a/date=2024-01-01/f", file)
        assert objects(url, "far-away") == {"a/date=2024-01-01/f": BODY}
        with pytest.raises(DestinationRefused):
            CloudTargets().put(ORG, s3_bucket("nowhere"), "a", file)


def test_s3_out_of_reach(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    with s3_server(monkeypatch):
        pass
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(DestinationUnavailable):
        CloudTargets().put(ORG, s3_bucket("far-away"), "a", file)


def test_s3_without_an_identity(monkeypatch: pytest.MonkeyPatch, file: Path, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(DestinationRefused, match="no AWS identity"):
        CloudTargets().put(ORG, s3_bucket("far-away"), "a", file)
