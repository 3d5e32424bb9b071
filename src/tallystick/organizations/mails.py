"""The mails of access: each is made in its job, so that the secret of its link is never stored readably."""

from dataclasses import dataclass
from datetime import datetime

from tallystick.kernel.clock import Clock
from tallystick.organizations import inviting, resets
from tallystick.organizations.invitation import Invitation
from tallystick.organizations.organization import Organization
from tallystick.organizations.user import User
from tallystick.platform.database import Database
from tallystick.platform.ids import new_id
from tallystick.platform.jobs import Jobs
from tallystick.platform.mail import Mail, Mailer
from tallystick.platform.resources.transaction import ResourceNotFound

_INVITATION = """Hello {name},

you are invited to work in {organization} on Tallystick. Choose a password here:

  {link}

If that page asks for a code, it is {token}

The invitation is open until {until}. If you did not expect it, do nothing.
"""
_LINK_TEXT = """Hello,

set your password for {organization} on Tallystick here:

  {link}

If that page asks for a code, it is {token}

The link works once, for an hour. If you did not ask for it, do nothing: your password stays as it is.
"""


@dataclass(frozen=True)
class AccessMails:
    """Sends invitations and links to set a password. base_url: where people reach this server."""

    database: Database
    mailer: Mailer
    clock: Clock
    base_url: str

    def register(self, jobs: Jobs) -> None:
        """Let workers send them."""
        jobs.task(inviting.MAIL_TASK, self.mail_invitation)
        jobs.task(resets.MAIL_TASK, self.mail_password_link)
        jobs.task(resets.FORGOTTEN_TASK, self.mail_forgotten)

    def mail_invitation(self, org_id: str, invitation_id: str) -> None:
        """Mail an open invitation with a fresh token; sent again, the link before is no longer taken."""
        with self.database.transaction(org_id) as tx:
            try:
                invitation = tx.get(Invitation, invitation_id, lock=True)
            except ResourceNotFound:  # withdrawn before it was sent
                return
            if not invitation.may_be_accepted(self.clock.now()):
                return
            token = inviting.renew_token(tx, invitation)
            organization = tx.get(Organization, org_id).name
        text = _INVITATION.format(
            name=invitation.first_name,
            organization=organization,
            link=self._link("invitation", token),
            token=token,
            until=_day(invitation.dt_expiry or self.clock.now()),
        )
        subject = f"Invitation to {organization}"
        self.mailer.send(Mail(to=invitation.email, subject=subject, text=text, key=new_id()))

    def mail_password_link(self, org_id: str, user_id: str) -> None:
        """Mail a user a link to set a password."""
        now = self.clock.now()
        with self.database.transaction(org_id) as tx:
            user = tx.get(User, user_id)
            if user.dt_end_access is not None and user.dt_end_access <= now:
                return
            token = resets.new_link_token(tx, user_id, now)
            organization = tx.get(Organization, org_id).name
        link = self._link("password", token)
        text = _LINK_TEXT.format(organization=organization, link=link, token=token)
        subject = f"Set your password for {organization}"
        self.mailer.send(Mail(to=user.email, subject=subject, text=text, key=new_id()))

    def mail_forgotten(self, email: str) -> None:
        """Queue a link for every user of an address; nobody of it is no failure."""
        for org_id, user_id in resets.users_to_mail(self.database, email, self.clock.now()):
            with self.database.transaction(org_id) as tx:
                resets.queue_password_link(tx, tx.get(User, user_id))

    def _link(self, page: str, token: str) -> str:
        """Give a link that carries a token after the `#`: it reaches no server's log and no other site."""
        return f"{self.base_url}/{page}#token={token}"


def _day(at: datetime) -> str:
    return f"{at:%d %B %Y, %H:%M} UTC"
