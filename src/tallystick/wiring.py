"""Put the parts together: the only place that constructs things."""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvloop

from tallystick.api.app import make_app
from tallystick.api.openapi import document
from tallystick.api.rate_limits import RateLimits
from tallystick.api.server import free_port, serve, stop_on_signals
from tallystick.api.services import Services
from tallystick.balances.schedules import BalanceSchedules
from tallystick.billing.bill import Bill
from tallystick.billing.by_itself import AutoApproval, BillingSchedule
from tallystick.billing.jobs import BillRunner
from tallystick.billing.usage_retention import UsageRetention
from tallystick.catalogue.compound_aggregation import follow_segments
from tallystick.catalogue.lookup_files import LookupFiles
from tallystick.catalogue.lookup_find import LookupCache, published_tables
from tallystick.catalogue.lookup_worker import LookupWorker
from tallystick.events.record import record_change
from tallystick.events.scheduling import Scheduler
from tallystick.explorer.service import Explorer
from tallystick.exports.runner import ExportRunner
from tallystick.exports.service import ExportsDue
from tallystick.exports.targets import CloudTargets
from tallystick.exports.usage import UsageRows
from tallystick.integrations import start as integrations_start
from tallystick.integrations.adapter import Adapter
from tallystick.integrations.adapters.accounting_file import AccountingFileAdapter
from tallystick.integrations.adapters.mail import MailAdapter
from tallystick.integrations.adapters.stripe import StripeAdapter
from tallystick.integrations.adapters.webhook import WebhookAdapter, WebhookMessage
from tallystick.integrations.credentials import Vault
from tallystick.integrations.registry import Registry, third_parties
from tallystick.integrations.runner import IntegrationRunner
from tallystick.integrations.service import Integrations
from tallystick.integrations.start import IntegrationsDue
from tallystick.kernel.clock import Clock
from tallystick.notifications.deliverer import Deliverer
from tallystick.notifications.delivery import register_forgetting_deliveries
from tallystick.notifications.outbox import Message, Outbox
from tallystick.notifications.service import Webhooks
from tallystick.notifications.tell import Firing, Teller
from tallystick.organizations.access_cache import AccessChanges
from tallystick.organizations.audit import record_audit
from tallystick.organizations.audit_chain import AuditSealing
from tallystick.organizations.mails import AccessMails
from tallystick.organizations.oidc import OpenIdConnect, Provider
from tallystick.organizations.organization_config import organization_zone
from tallystick.organizations.service import all_organizations
from tallystick.organizations.sessions import Sessions
from tallystick.organizations.signing_on import SignOns
from tallystick.organizations.throttle import Throttle
from tallystick.organizations.tokens import Tokens
from tallystick.platform.addresses import ANYWHERE, Allowed, read_networks
from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.clickhouse.http import HttpClickHouse
from tallystick.platform.clickhouse.transport import ClickHouse
from tallystick.platform.clock import SystemClock
from tallystick.platform.database import Database
from tallystick.platform.due import MOVE_TASK, Due, DueRunner
from tallystick.platform.fetch import Fetch
from tallystick.platform.files import Files, Folder
from tallystick.platform.home import Home
from tallystick.platform.http_out import HttpOut
from tallystick.platform.jobs import Jobs
from tallystick.platform.mail import Mailer, MailFolder, SmtpMailer
from tallystick.platform.migrate import migrate
from tallystick.platform.object_files import ObjectFiles, open_store
from tallystick.platform.postgres import (
    EmbeddedPostgres,
    Postgres,
    PostgresFailed,
    external_postgres,
    open_postgres,
)
from tallystick.platform.resources import Change, Transaction
from tallystick.platform.sealed import Sealer
from tallystick.platform.settings import Settings
from tallystick.platform.signed_urls import SignedUrls
from tallystick.statements.automatic import note_changes
from tallystick.statements.documents.service import bill_document, render_bill
from tallystick.statements.runner import StatementRunner
from tallystick.usage.derived import Derivation
from tallystick.usage.file_upload_job import UploadRunner
from tallystick.usage.resolution import CodeCache, Resolution
from tallystick.usage.retention import register_forgetting
from tallystick.usage.service import Ingest
from tallystick.usage.store.schema import CLUSTER_INSERT, CLUSTER_READ
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.turns import Alone, Turns
from tallystick.usage.store.writer import GroupedWriter
from tallystick.usage.turns import SharedTurns
from tallystick.usage.upkeep import Upkeep

__all__ = [
    "Platform",
    "free_port",
    "open_beside_server",
    "open_platform",
    "open_services",
    "open_usage_retention",
    "openapi_document",
    "operator_urls",
    "run_server",
    "run_until_done",
    "signing_secret",
    "stop_on_signals",
]

Step = Callable[[str], None]
MOST_LOOKUP_TABLES = 10_000
"So many lookup tables' published revisions are remembered, over all organizations."


@dataclass(frozen=True)
class Platform:
    """What runs under the services: the home, its engines, and the migrated database."""

    settings: Settings
    clock: Clock
    home: Home
    postgres: Postgres
    database: Database
    resolution: Resolution
    lookups: LookupCache
    access: AccessChanges


@contextmanager
def open_platform(
    settings: Settings, clock: Clock | None = None, step: Step = lambda _: None
) -> Iterator[Platform]:
    """Lock the home, start PostgreSQL and bring it to this version. `step` hears what is going on."""
    clock = clock or SystemClock()
    with ExitStack() as stack:
        step("Opening the home")
        home = stack.enter_context(Home(settings.home))
        step("Starting PostgreSQL")
        postgres = stack.enter_context(open_postgres(home, settings.database_url))
        step("Migrating the database")
        migrate(postgres.url)
        resolution = Resolution()
        lookups = LookupCache(CodeCache(published_tables, MOST_LOOKUP_TABLES))

        access = AccessChanges()

        def record(tx: Transaction, /, *changes: Change) -> None:
            record_change(tx, *changes)
            record_audit(tx, *changes)
            resolution.note_change(tx, *changes)
            lookups.note_change(tx, *changes)
            note_changes(tx, *changes)
            access.note_change(tx, *changes)
            integrations_start.note_changes(tx, *changes)
            for change in changes:
                follow_segments(tx, change)

        database = Database(postgres.url, clock, record)
        stack.callback(database.close)
        yield Platform(settings, clock, home, postgres, database, resolution, lookups, access)


@contextmanager
def open_services(platform: Platform, step: Step = lambda _: None) -> Iterator[Services]:
    """Open the usage store and construct what handlers work with; closed in order at the end."""
    with ExitStack() as stack:
        step("Opening the usage store")
        clickhouse = stack.enter_context(_clickhouse(platform))
        store = UsageStore(clickhouse, cluster=_cluster(platform))
        store.migrate()
        writer = GroupedWriter(store, platform.clock, turns=_turns(platform, store))
        writer.start()
        stack.callback(writer.close)
        secret = signing_secret(platform)
        throttle = Throttle(platform.clock)
        tokens = Tokens(platform.database, platform.clock, secret, throttle=throttle, changes=platform.access)
        lookups = partial(platform.lookups.of, platform.database)
        derive = Derivation(platform.database, platform.resolution, lookups)
        files = _files(platform)
        yield Services(
            clock=platform.clock,
            database=platform.database,
            tokens=tokens,
            sessions=Sessions(platform.database, platform.clock, tokens, secret),
            sign_ons=_sign_ons(platform, secret),
            base_url=platform.settings.base_url,
            always_secure=platform.settings.base_url.startswith("https://"),
            proxies=read_networks(platform.settings.proxies),
            throttle=throttle,
            ingest=Ingest(platform.database, writer, platform.resolution, derive),
            signed_urls=SignedUrls(secret, platform.clock),
            usage=store,
            retention=UsageRetention(
                platform.database, Upkeep(clickhouse, _cluster(platform)), platform.clock
            ),
            statements=StatementRunner(platform.database, store, files),
            webhooks=make_webhooks(platform),
            lookups=lookups,
            files=files,
            mailer=make_mailer(platform),
            lookup_files=LookupFiles(files),
            explorer=Explorer(platform.database, store, platform.clock),
            usage_rows=UsageRows(platform.database, store),
            integrations=Integrations(make_registry(platform, files), make_vault(platform)),
            rate_limits=RateLimits(platform.clock) if platform.settings.rate_limits == "on" else None,
        )


def _turns(platform: Platform, store: UsageStore) -> Turns:
    """Take turns in writing where another process may have the same server."""
    if not platform.settings.clickhouse_url:
        return Alone()
    return SharedTurns(platform.postgres.conninfo, store.is_inserting)


@contextmanager
def open_usage_retention(platform: Platform) -> Iterator[UsageRetention]:
    """Open what measures and drops usage, of a home that no server holds."""
    with _clickhouse(platform) as clickhouse:
        UsageStore(clickhouse, cluster=_cluster(platform)).migrate()
        yield UsageRetention(platform.database, Upkeep(clickhouse, _cluster(platform)), platform.clock)


def operator_urls(settings: Settings) -> SignedUrls:
    """Give what signs the operator's links to the server of a home."""
    secret = settings.secret or Home(settings.home).secret()
    return SignedUrls(secret.encode(), SystemClock())


@contextmanager
def open_beside_server(settings: Settings, clock: Clock | None = None) -> Iterator[Database]:
    """Open the database of a home whose server runs, for what changes only rows. Raises PostgresFailed.

    Nothing is locked, started, migrated or stopped.
    """
    clock = clock or SystemClock()
    home = Home(settings.home)
    if settings.database_url:
        postgres: Postgres | None = external_postgres(settings.database_url)
    else:
        postgres = EmbeddedPostgres(home).beside()
    if postgres is None:
        raise PostgresFailed(f"The server on {home.path} is starting or stopping. Try again in a moment.")

    def record(tx: Transaction, /, *changes: Change) -> None:
        record_change(tx, *changes)
        record_audit(tx, *changes)

    database = Database(postgres.url, clock, record)
    try:
        yield database
    finally:
        database.close()


def signing_secret(platform: Platform) -> bytes:
    """Give the secret that tokens and URLs are signed with."""
    return (platform.settings.secret or platform.home.secret()).encode()


def _files(platform: Platform) -> Files:
    """Open where files are kept; of a store elsewhere, copies of what was read lie in the home."""
    url = platform.settings.files_url
    folder = platform.home.files
    return ObjectFiles(open_store(url), folder / "copies", platform.clock) if url else Folder(folder)


def _cluster(platform: Platform) -> str | None:
    """Give the name of the cluster, if there is a server that can have one."""
    return platform.settings.clickhouse_cluster if platform.settings.clickhouse_url else None


@contextmanager
def _clickhouse(platform: Platform) -> Iterator[ClickHouse]:
    url = platform.settings.clickhouse_url
    clickhouse: ClickHouse
    if not url:
        clickhouse = EmbeddedClickHouse(platform.home.usage)
    elif _cluster(platform):
        clickhouse = HttpClickHouse(url, insert_settings=CLUSTER_INSERT, read_settings=CLUSTER_READ)
    else:
        clickhouse = HttpClickHouse(url)
    try:
        yield clickhouse
    finally:
        clickhouse.close()


def _sign_ons(platform: Platform, secret: bytes) -> SignOns:
    settings, clock = platform.settings, platform.clock
    own = None
    if settings.oidc_issuer and settings.oidc_client_id:
        own = Provider(
            settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, Fetch(ANYWHERE)
        )
    inside = Allowed.read(settings.webhook_allow)
    connect = OpenIdConnect(clock, Sealer(secret, "a browser that signs on"))
    sealer = Sealer(secret, "single sign-on")
    return SignOns(platform.database, clock, connect, sealer, Fetch(inside), own)


def make_mailer(platform: Platform) -> Mailer:
    """Give what sends mail: the operator's mail server, else the folder of the home."""
    settings, clock = platform.settings, platform.clock
    if settings.smtp_url:
        refused = MailFolder(platform.home.mail / "refused", clock, settings.mail_from)
        return SmtpMailer(settings.smtp_url, settings.mail_from, clock, refused)
    return MailFolder(platform.home.mail, clock, settings.mail_from)


def make_jobs(platform: Platform, services: Services) -> Jobs:
    """Make the queue, with every task that a worker of this version runs."""
    jobs = Jobs(platform.postgres.conninfo)
    BillRunner(platform.database, services.usage).register(jobs)
    services.statements.register(jobs)
    UploadRunner(platform.database, services.files, services.ingest).register(jobs)
    AccessMails(platform.database, services.mailer, platform.clock, platform.settings.base_url).register(jobs)
    register_forgetting(jobs, platform.database)
    LookupWorker(platform.database, services.lookup_files).register(jobs)
    make_scheduler(platform).register(jobs)
    make_teller(platform).register(jobs)
    register_forgetting_deliveries(jobs, platform.database, platform.clock)
    targets = CloudTargets(platform.settings.gcs_token_file)
    ExportRunner(platform.database, services.usage_rows, services.files, targets).register(jobs)
    registry = services.integrations.registry
    IntegrationRunner(platform.database, registry, make_vault(platform)).register(jobs)
    runner = make_due(platform, services).stopping_with(jobs.is_stopping)
    jobs.task(MOVE_TASK, runner.move)
    if platform.settings.due_every_s:
        jobs.often(platform.settings.due_every_s, runner.run_all)
    return jobs


def make_registry(platform: Platform, files: Files) -> Registry:
    """Make the adapters of this server: its own, and those that other packages bring."""
    own: tuple[Adapter, ...] = (
        StripeAdapter("STRIPE", platform.settings.stripe_url),
        StripeAdapter("STRIPE_TEST", platform.settings.stripe_url),
        AccountingFileAdapter(files),
        MailAdapter(make_mailer(platform), partial(_bill_pdf, platform.database)),
        WebhookAdapter(partial(_put_into_outbox, platform)),
    )
    return Registry((*own, *third_parties()))


def _put_into_outbox(platform: Platform, org_id: str, destination_id: str, told: WebhookMessage) -> None:
    """Hand a message of an integration to the outbox of a webhook. Raises ResourceNotFound."""
    outbox, now = Outbox(platform.clock), platform.clock.now()
    message = Message(key=told.key, type=told.type, at=now, facts=told.facts, entity_id=told.entity_id)
    with platform.database.transaction(org_id) as tx:
        outbox.put(tx, destination_id, message)


def _bill_pdf(database: Database, org_id: str, bill: Bill) -> bytes:
    with database.snapshot(org_id) as tx:
        made = bill_document(tx, bill.id, appendix=None)
    return render_bill(made)


def make_vault(platform: Platform) -> Vault:
    """Make what seals the credentials of integrations."""
    return Vault(Sealer(signing_secret(platform), "integration credentials"))


def make_due(platform: Platform, services: Services) -> DueRunner:
    """List what falls due at instants, in the order in which it runs at the same instant."""
    dues: tuple[Due, ...] = (
        BalanceSchedules(platform.database),
        BillingSchedule(platform.database, services.usage, platform.clock),
        AutoApproval(platform.database),  # after what may still change a bill
        ExportsDue(platform.database, services.files),
        make_scheduler(platform),
        make_teller(platform),
        AuditSealing(platform.database),
        IntegrationsDue(platform.database),
    )
    return DueRunner(platform.database, dues, partial(all_organizations, platform.database))


def make_scheduler(platform: Platform) -> Scheduler:
    """Give what makes scheduled events happen."""
    return Scheduler(platform.database, organization_zone)


def make_teller(platform: Platform) -> Teller:
    """Give what reads the event record and tells of it."""
    return Teller(platform.database, partial(platform.lookups.of, platform.database), _tell_integrations)


def _tell_integrations(tx: Transaction, firings: Sequence[Firing]) -> None:
    """Start what is configured for the rules that events met."""
    for firing in firings:
        event = firing.event
        facts = {
            "notificationCode": firing.rule.code,
            "notificationId": firing.rule.id,
            "eventId": event.id,
            "eventName": event.name,
            "eventTime": event.at,
            "entityId": event.entity_id,
            "event": event.facts,
        }
        integrations_start.notify(tx, firing.rule.id, facts)


def make_webhooks(platform: Platform) -> Webhooks:
    """Give what makes webhooks and tries them out."""
    out = HttpOut(Allowed.read(platform.settings.webhook_allow))
    sealer = Sealer(signing_secret(platform), "webhooks")
    return Webhooks(platform.database, out, sealer, platform.clock)


async def _work(platform: Platform, services: Services, *, alone: bool) -> None:
    """Run jobs and deliver messages until cancelled. alone: no other process works on this database."""
    webhooks = services.webhooks
    deliverer = Deliverer(platform.database, platform.clock, webhooks.out, webhooks.sealer)
    async with asyncio.TaskGroup() as both:  # unlike gather, it waits for both when it is cancelled
        both.create_task(make_jobs(platform, services).work(alone=alone))
        both.create_task(deliverer.run(alone=alone))


async def run_server(
    platform: Platform, services: Services, *, ready: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Serve HTTP and run jobs until `stop` is set. ready: called with the base URL. Raises PortTaken."""
    host = platform.settings.host
    port = free_port(host, platform.settings.port)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def work() -> None:
        await _work(platform, services, alone=platform.postgres.embedded)

    app = make_app(services)
    await serve(app, host, port, ready=lambda: ready(url), stop=stop, beside=work)


async def run_worker(
    platform: Platform, services: Services, *, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Run jobs until `stop` is set; what runs then is waited for."""
    working = asyncio.ensure_future(_work(platform, services, alone=False))
    stopping = asyncio.ensure_future(stop.wait())
    ready()
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
    with suppress(asyncio.CancelledError):
        await working


def run_until_done(program: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on the event loop that servers and workers run on."""
    collect_seldom()
    uvloop.run(program)


def collect_seldom() -> None:
    """Look for cycles of garbage less often: a bill run makes millions of objects, and hardly any cycle."""
    gc.freeze()  # what was imported stays, and need not be looked at
    gc.set_threshold(50_000, 20, 50)


def openapi_document() -> dict[str, Any]:
    """Give the OpenAPI document of this version's routes."""
    return document()
