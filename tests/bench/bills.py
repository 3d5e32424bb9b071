"""A bill run over 20,000 accounts with 150 events each in the month, through the API.

Each account is on one plan: a standing charge, a tiered price a mile, a price a flight. Accounts are copied
in the database and usage is put into the store directly; the run is then asked for over HTTP and timed
until the job is complete. Memory is that of server and PostgreSQL together, shared memory counted once.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from tallystick.kernel.periods import Period
from tallystick.platform.settings import Settings
from tallystick.wiring import open_platform
from tests.bench.catalogue import Catalogue, make_account, make_catalogue
from tests.bench.figures import Figure, check
from tests.bench.jobs import run_month
from tests.bench.memory import peak_of, resident_mib
from tests.bench.options import Options
from tests.bench.server import Home, apart, new_home
from tests.bench.stored import Flights

JANUARY = Period(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC))
ACCOUNTS = 20_000
EVENTS_EACH = 150
TARGET_PER_S = 1000

_NEW = {
    "accounts": {"id": "lpad(to_hex(i), 32, '0')::uuid", "code": "'a' || i", "name": "'Account ' || i"},
    "accountplans": {
        "id": "lpad(to_hex(i + 16777216), 32, '0')::uuid",
        "account_id": "lpad(to_hex(i), 32, '0')::uuid",
    },
}
"What differs from the account and account plan that the others are copied from, in SQL; `i` counts from 1."


def run(options: Options) -> Iterator[Figure]:
    """Measure."""
    accounts = ACCOUNTS // 10 if options.quick else ACCOUNTS
    with new_home(options.folder) as home:
        with home.served() as server, server.client() as client:
            made = make_catalogue(client)
            make_account(client, "pattern", made.plan_id, "2025-01-01")
        apart(_copy_accounts, home.path, home.org_id, accounts - 1)
        apart(_flights(home, made, accounts - 1).fill, home.path / "usage", accounts * EVENTS_EACH)
        with home.served() as server, server.client() as client:
            before = resident_mib(server.pid)
            with peak_of(server.pid) as peak:
                _, took = run_month(client, "2025-01-31")
            _, again = run_month(client, "2025-01-31")
        counted = apart(_counted, home.path, home.org_id, made.flights_id)
    right = (accounts, accounts * EVENTS_EACH)
    check(counted == right, f"there are {counted} bills and flights on them, but there should be {right}")
    note = f"{took:.1f} s; again, nothing changed: {again:.1f} s"
    yield Figure(
        name=f"bills: run over {accounts:,} accounts, {accounts * EVENTS_EACH:,} events",
        value=round(accounts / took),
        unit="bills/s",
        at_least=TARGET_PER_S,
        note=note,
    )
    yield Figure(
        name="bills: peak memory of the run",
        value=round(peak.mib),
        unit="MiB",
        note=f"{before:.0f} MiB before",
    )


def _flights(home: Home, made: Catalogue, accounts: int) -> Flights:
    return Flights(
        org_id=home.org_id,
        meter_id=made.meter_id,
        accounts=[str(UUID(int=i)) for i in range(1, accounts + 1)],
        month=JANUARY,
        received=int(JANUARY.end.timestamp() * 1_000_000),
        skewed=False,
    )


def _copy_accounts(home: Path, org_id: str, how_many: int) -> None:
    """Copy the one account and its account plan so many times."""
    with open_platform(Settings(home=home)) as platform, platform.database.transaction(org_id) as tx:
        for table, new in _NEW.items():
            found = tx.execute(
                text("SELECT attname FROM pg_attribute WHERE attrelid = CAST(:t AS regclass) AND attnum > 0"),
                {"t": table},
            )
            columns = [row.attname for row in found]
            values = [new.get(column, f"p.{column}") for column in columns]
            copy = (
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} "  # noqa: S608 - names of columns
                f"FROM (SELECT * FROM {table} WHERE org_id = CAST(:org AS uuid)) p, generate_series(1, :n) i"
            )
            tx.execute(text(copy), {"org": org_id, "n": how_many})


def _counted(home: Path, org_id: str, flights_id: str) -> tuple[int, int]:
    """Count the bills, and the flights that stand on them."""
    flights = text("SELECT sum(quantity) FROM bill_line_items WHERE aggregation_id = :flights")
    with open_platform(Settings(home=home)) as platform, platform.database.reading(org_id) as tx:
        bills = tx.execute(text("SELECT count(*) FROM bills")).scalar_one()
        return int(bills), int(tx.execute(flights, {"flights": flights_id}).scalar_one() or 0)
