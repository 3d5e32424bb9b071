"""The two pages that mailed links lead to: accept an invitation, and set a password.

They stand alone, without the console: plain forms that work without scripts, in light and dark. A link's
token follows the `#`, so no log has it; a small script moves it into the form, and where there is none the
person copies it from the mail.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator
from html import escape
from string import Template
from typing import Final
from urllib.parse import parse_qs

import msgspec

from tallystick.api.oauth import FORM
from tallystick.api.routes import Call, PageAnswer, Route
from tallystick.organizations.errors import InvitationNotOpen, ResetNotOpen
from tallystick.organizations.inviting import AcceptRequest, accept_invitation
from tallystick.organizations.passwords import LONGEST, SHORTEST
from tallystick.organizations.resets import ResetRequest, reset_password
from tallystick.platform.resources.wire import InvalidBody

SMALL_BODY_BYTES: Final = 10_000
_SCRIPT: Final = """
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const field = document.getElementById("token");
if (token && field) {
  field.value = token;
  field.parentElement.hidden = true;
  history.replaceState(null, "", location.pathname);
}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>$title - Tallystick</title>
  <style>
    :root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
    body { margin: 0 auto; max-width: 28rem; padding: 3rem 1rem; }
    label { display: block; font-weight: 600; }
    input, button { box-sizing: border-box; font: inherit; padding: .6rem; width: 100%; }
    input { border: 1px solid GrayText; border-radius: .25rem; }
    button { background: light-dark(#1d4ed8, #93c5fd); border: 0; border-radius: .25rem; cursor: pointer; }
    button { color: light-dark(#ffffff, #0f172a); font-weight: 600; }
    :focus-visible { outline: 3px solid light-dark(#1d4ed8, #93c5fd); outline-offset: 2px; }
    [role=alert] { border-left: .3rem solid light-dark(#b91c1c, #fca5a5); padding-left: .7rem; }
    code { overflow-wrap: anywhere; }
  </style>
</head>
<body>
<main>
<h1>$title</h1>
$content
</main>
<script>$script</script>
</body>
</html>
""")
_FORM: Final = Template("""$problem<form method="post">
<p><label for="token">Code from the mail</label>
<input id="token" name="token" value="$token" required autocomplete="off" spellcheck="false"></p>
<p><label for="password">New password</label>
<input id="password" name="password" type="password" required minlength="$shortest" maxlength="$longest"
  autocomplete="new-password" aria-describedby="rule"$invalid>
<span id="rule">$shortest to $longest characters; which ones does not matter.</span></p>
<p><button>$button</button></p>
</form>""")
_ALERT: Final = '<p role="alert">{}</p>\n'
_NEXT: Final = (
    "<p>{}</p>\n<p>To log in, a program sends your address and password to <code>POST /login</code> and"
    ' gets a token for the API: <a href="/docs">the API\'s reference</a>.</p>'
)


class PasswordForm(msgspec.Struct, kw_only=True):
    """What the page sends: the token of the mailed link, and the password."""

    token: str
    password: str


class _Words(msgspec.Struct, frozen=True):
    """What one of the pages says."""

    title: str
    button: str
    done_title: str
    done: str


_INVITATION: Final = _Words(
    "Accept your invitation", "Accept and set password", "You are in", "Your user is made."
)
_PASSWORD: Final = _Words(
    "Set your password",
    "Set password",
    "Your password is set",
    "Everything you were logged in with has ended.",
)


def page_routes() -> Iterator[Route]:
    """Make the routes: who has the token of a link may do what it is for."""
    for path, words, do, name in (
        ("/invitation", _INVITATION, _accept, "Invitation"),
        ("/password", _PASSWORD, _reset, "Password"),
    ):
        yield Route(
            "GET", path, None, _shows(words), f"show{name}Page", "Auth", f"Show the page: {words.title}"
        )
        yield Route(
            "POST",
            path,
            None,
            _takes(words, do),
            f"submit{name}Page",
            "Auth",
            f"Take the form: {words.title}",
            request=PasswordForm,
            reads_raw=True,
            media_types=(FORM,),
            body_limit=SMALL_BODY_BYTES,
        )


def _shows(words: _Words) -> Callable[[Call], PageAnswer]:
    return lambda _call: _page(words.title, _form(words, ""))


def _takes(words: _Words, do: Callable[[Call, str, str], None]) -> Callable[[Call], PageAnswer]:
    def take(call: Call) -> PageAnswer:
        given = {name: values[0] for name, values in parse_qs(call.raw.decode("latin-1")).items()}
        token, password = given.get("token", "").strip(), given.get("password", "")
        try:
            do(call, token, password)
        except (InvitationNotOpen, ResetNotOpen) as error:
            return _page(words.title, _ALERT.format(escape(error.message)))
        except InvalidBody as error:
            found = error.problems[0]
            return _page(words.title, _form(words, token, f"The {found.field} {found.message}."))
        return _page(words.done_title, _NEXT.format(words.done))

    return take


def _accept(call: Call, token: str, password: str) -> None:
    services = call.services
    accept_invitation(services.database, services.clock.now(), AcceptRequest(token=token, password=password))


def _reset(call: Call, token: str, password: str) -> None:
    services = call.services
    reset_password(services.database, services.clock.now(), ResetRequest(token=token, password=password))


def _form(words: _Words, token: str, problem: str | None = None) -> str:
    return _FORM.substitute(
        problem=_ALERT.format(escape(problem)) if problem else "",
        invalid=' aria-invalid="true"' if problem else "",
        token=escape(token),
        shortest=SHORTEST,
        longest=LONGEST,
        button=escape(words.button),
    )


def _page(title: str, content: str) -> PageAnswer:
    made = _PAGE.substitute(title=escape(title), content=content, script=_SCRIPT)
    return PageAnswer(made.encode(), "text/html", _HEADERS)
