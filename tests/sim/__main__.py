"""`python -m tests.sim [--minutes 10] [--seed 1]`: seed after seed until the time is over, or one fails."""

import argparse
import tempfile
import time
from pathlib import Path
from random import Random

from tallystick.platform.home import Home
from tallystick.platform.postgres import EmbeddedPostgres
from tests.sim.simulation import Simulation
from tests.support.live import START, live_server
from tests.support.world import World


def main() -> None:
    """Run seeds one after the other, telling each; a failure names the seed that shows it again."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--minutes", type=int, default=10, help="how long to go on")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--months", type=int, default=6, help="how long each organization lives")
    wanted = parser.parse_args()
    deadline = time.monotonic() + wanted.minutes * 60
    with (
        tempfile.TemporaryDirectory(prefix="tallystick-sim-") as folder,
        Home(Path(folder)) as home,
        EmbeddedPostgres(home) as postgres,
        live_server(postgres.url) as live,
    ):
        seed = wanted.seed
        while time.monotonic() < deadline:
            live.clock.instant = START
            world = World(live)
            begun = time.monotonic()
            try:
                Simulation(world, Random(seed), months=wanted.months).run()  # noqa: S311 - reproducible, not secret
            except BaseException:
                print(
                    f"seed {seed} failed; again: python -m tests.sim --seed {seed} --months {wanted.months}"
                )
                raise
            finally:
                world.close()
            print(f"seed {seed}: {wanted.months} months in {time.monotonic() - begun:.1f} s", flush=True)
            seed += 1


main()
