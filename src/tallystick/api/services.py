"""What handlers work with; `wiring` makes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tallystick.api.rate_limits import RateLimits
from tallystick.billing.usage import UsageQueries
from tallystick.billing.usage_retention import UsageRetention
from tallystick.calc.values import Lookups
from tallystick.catalogue.lookup_files import LookupFiles
from tallystick.explorer.service import Explorer
from tallystick.exports.usage import UsageRows
from tallystick.integrations.service import Integrations
from tallystick.kernel.clock import Clock
from tallystick.notifications.service import Webhooks
from tallystick.organizations.sessions import Sessions
from tallystick.organizations.signing_on import SignOns
from tallystick.organizations.throttle import Throttle
from tallystick.organizations.tokens import Tokens
from tallystick.platform.addresses import Network
from tallystick.platform.database import Database
from tallystick.platform.files import Files
from tallystick.platform.mail import Mailer
from tallystick.platform.signed_urls import SignedUrls
from tallystick.statements.runner import StatementRunner
from tallystick.usage.service import Ingest


@dataclass(frozen=True)
class Services:
    """The parts of a running server that handlers call."""

    clock: Clock
    database: Database
    tokens: Tokens
    throttle: Throttle
    ingest: Ingest
    signed_urls: SignedUrls
    usage: UsageQueries
    lookup_files: LookupFiles
    explorer: Explorer
    files: Files
    mailer: Mailer
    sessions: Sessions
    sign_ons: SignOns
    base_url: str
    "Where people reach this server, without a slash at the end."
    always_secure: bool
    "People reach this server over TLS only."
    proxies: Sequence[Network]
    "Whose X-Forwarded-For is believed."
    retention: UsageRetention
    statements: StatementRunner
    usage_rows: UsageRows
    webhooks: Webhooks
    lookups: Callable[[str], Lookups]
    "Gives the lookup tables of an organization."
    integrations: Integrations
    rate_limits: RateLimits | None = None
    "None is no limits."
