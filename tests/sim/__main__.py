"""`python -m tests.sim [--minutes 10] [--seed 1]`: seed after seed until the time is over, or one fails."""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

from tallystick.platform.home import Home
from tallystick.platform.postgres import EmbeddedPostgres
from tests.sim.crashing import CrashingWorld
from tests.sim.simulation import Simulation
from tests.support.clock import START
from tests.support.live import live_server
from tests.support.world import World

MakeWorld = Callable[[Random], World | CrashingWorld]


def main() -> None:
    """Run seeds one after the other, telling each; a failure names the seed that shows it again."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--minutes", type=int, default=10, help="how long to go on")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--months", type=int, default=6, help="how long each organization lives")
    parser.add_argument("--crash", type=int, metavar="N", help="kill the server every N requests or so")
    wanted = parser.parse_args()
    deadline = time.monotonic() + wanted.minutes * 60
    with _crashing(wanted.crash) if wanted.crash else _on_one_server() as make_world:
        seed = wanted.seed
        while time.monotonic() < deadline:
            print(f"seed {seed}: {_live(make_world, seed, wanted.months)}", flush=True)
            seed += 1


@contextmanager
def _on_one_server() -> Iterator[MakeWorld]:
    with (
        tempfile.TemporaryDirectory(prefix="tallystick-sim-") as folder,
        Home(Path(folder)) as home,
        EmbeddedPostgres(home) as postgres,
        live_server(postgres.url) as live,
    ):

        def make(_: Random) -> World:
            live.clock.instant = START
            return World(live)

        yield make


@contextmanager
def _crashing(requests_per_crash: int) -> Iterator[MakeWorld]:
    with tempfile.TemporaryDirectory(prefix="tallystick-sim-") as folder:

        def make(random: Random) -> CrashingWorld:
            home = Path(tempfile.mkdtemp(dir=folder)) / "home"
            return CrashingWorld(home, random, requests_per_crash=requests_per_crash)

        yield make


def _live(make_world: MakeWorld, seed: int, months: int) -> str:
    random, begun = Random(seed), time.monotonic()  # noqa: S311 - reproducible, not secret
    with closing(make_world(random)) as world:
        try:
            Simulation(world, random, months=months).run()
        except BaseException:
            print(f"seed {seed} failed; run it again with --seed {seed} and the same other arguments")
            raise
        crashes = f", {world.crashes} crashes" if isinstance(world, CrashingWorld) else ""
    return f"{months} months in {time.monotonic() - begun:.1f} s{crashes}"


main()
