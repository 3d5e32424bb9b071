"""Single sign-on: the OpenID Connect issuer that vouches for an organization's people."""

import re
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from tallystick.kernel.problems import Problem
from tallystick.organizations.permission_policy import unknown_policies
from tallystick.platform.resources import Entity, Hidden, Id, Transaction, resource
from tallystick.platform.resources.declaration import VersionedRequest

DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
ISSUER = re.compile(r"https://[^\s?#@]+|http://(?:localhost|127\.0\.0\.1)(?::\d+)?(?:/[^\s?#@]*)?")
Url = Annotated[str, Meta(min_length=1, max_length=500)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]


@resource("singlesignon", event="configuration.singlesignon", singleton=True, verbs=("get",))
class SingleSignOn(Entity, kw_only=True):
    """Who vouches for the people of this organization, and whom of them to let in without an invitation."""

    issuer: Url
    "The issuer's identifier: where its `/.well-known/openid-configuration` is."
    client_id: Text
    allowed_domains: list[str] = []
    "Who has a verified address of these becomes a user at the first sign-on; others need an invitation."
    permission_policy_ids: list[Id] = []
    "What such a new user gets."
    enabled: bool = True
    client_secret_sealed: Annotated[str | None, Hidden()] = None

    def check(self) -> Iterator[Problem]:
        """The issuer is reached safely, and domains are domains."""
        if not ISSUER.fullmatch(self.issuer):
            yield Problem("issuer", "wrong_format", "must be an https:// URL without query or fragment")
        for i, domain in enumerate(self.allowed_domains):
            if not DOMAIN.fullmatch(domain):
                yield Problem(
                    f"allowedDomains[{i}]", "wrong_format", "must be a domain in lower case, such as acme.com"
                )

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The policies exist."""
        yield from unknown_policies(tx, "permissionPolicyIds", self.permission_policy_ids)


class SingleSignOnRequest(VersionedRequest, kw_only=True, rename="camel"):
    """The body: as it is answered, with the client's secret. Omitted, the stored secret stays."""

    issuer: Url
    client_id: Text
    client_secret: Text | None = None
    allowed_domains: list[str] = []
    permission_policy_ids: list[Id] = []
    enabled: bool = True
