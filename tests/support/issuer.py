"""A real OpenID Connect issuer on loopback, which says whatever a test wants it to."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT, SECRET = "tallystick client", "s/e+c r:t"
Key = RSAKey | ECKey | OctKey


class Issuer:
    """An issuer. claims and headers change what its tokens say; `keys` are the ones it publishes."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: list[Key] = [RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})]
        self.signs_with: Key = self.keys[0]
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.metadata: dict[str, Any] = {}
        self.asked: list[str] = []
        self.now = 0
        self.signs_by_hand: Callable[[bytes], bytes] | None = None

    def allow(self, address: str, **who: Any) -> tuple[str, str]:
        """Let somebody through who was sent here: give the code and the state they go back with."""
        query = {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()}
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        assert "openid" in query["scope"].split()
        code = f"code-{len(self.codes)}"
        self.codes[code] = {**query, "who": json.dumps(who)}
        return code, query["state"]

    def id_token(self, asked: dict[str, str]) -> str:
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "subject-1",
            "iat": self.now,
            "exp": self.now + 300,
            "nonce": asked["nonce"],
            "email_verified": True,
            **json.loads(asked["who"]),
            **self.claims,
        }
        header = {"alg": self.algorithm}
        if "kid" in self.signs_with.dict_value:
            header["kid"] = str(self.signs_with.dict_value["kid"])
        present = {k: v for k, v in claims.items() if v is not None}
        if self.signs_by_hand is not None:
            by_hand = {**header, "alg": "HS256" if self.signs_by_hand(b"") else "none"}
            content = ".".join(_encoded(json.dumps(part).encode()) for part in (by_hand, present))
            return f"{content}.{_encoded(self.signs_by_hand(content.encode()))}"
        return jwt.encode(header, present, self.signs_with, algorithms=[self.algorithm])

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        pair = base64.b64encode(b"tallystick%20client:s%2Fe%2Bc%20r%3At").decode()
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or authorization != f"Basic {pair}":
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (challenge, form["redirect_uri"]) != (asked["code_challenge"], asked["redirect_uri"]):
            return 400, {"error": "invalid_grant"}
        return 200, {"id_token": self.id_token(asked), "access_token": "a", "token_type": "Bearer"}

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?tenant=1",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            **self.metadata,
        }


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Start an issuer on a free port of loopback."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            if self.path == "/keys":
                public = [key.as_dict(private=False) for key in issuer.keys]
                self._send(200, {"keys": public})
            elif self.path == "/.well-known/openid-configuration":
                self._send(200, issuer.discovery())
            else:
                self._send(404, {})

        def do_POST(self) -> None:
            issuer.asked.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {k: v[0] for k, v in parse_qs(body).items()}
            self._send(*issuer.token(form, self.headers.get("authorization", "")))

        def _send(self, status: int, answer: dict[str, Any]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
