"""What access refuses, with its public codes."""

from tallystick.kernel.errors import Forbidden, TooMany


class Unauthenticated(Forbidden):
    """The request carries no token that is valid now."""

    code = "unauthenticated"


class WrongCredentials(Forbidden):
    """The pair of key and secret, or of e-mail and password, is not one that may come in.

    Unknown, wrong, revoked and ended are told alike: the difference would help who is guessing.
    """

    code = "wrong_credentials"


class PermissionDenied(Forbidden):
    """The caller is known, but no statement of theirs allows this, or one denies it."""

    code = "permission_denied"


class MoreThanYouHave(Forbidden):
    """The caller would give, or let somebody have, what they may not do themselves."""

    code = "more_than_you_have"


class OwnAccess(Forbidden):
    """The caller would end, cut or lengthen their own access."""

    code = "own_access"


class InvitationNotOpen(Forbidden):
    """The link of an invitation is unknown, was used, withdrawn or is too old."""

    code = "invitation_not_open"


class ResetNotOpen(Forbidden):
    """The link to set a password is unknown, was used or is too old."""

    code = "reset_not_open"


class CsrfTokenWrong(Forbidden):
    """A change came with a session's cookie, but not from the session's own pages."""

    code = "csrf_token_wrong"


class CrossSite(Forbidden):
    """Another site's page asks for what only this server's own pages may."""

    code = "cross_site"


class SignOnRefused(Forbidden):
    """The issuer vouches for somebody who is not let in, or what it says does not hold."""

    code = "sign_on_refused"


class TooManyAttempts(TooMany):
    """Too many failed log-ins lately, with this name or from this address."""

    code = "too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        message = f"Too many failed attempts. Wait {retry_after_s} seconds, then try again."
        super().__init__(message, retry_after_s=retry_after_s)
