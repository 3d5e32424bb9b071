"""A few seeds in every test run; `make sim` goes on for as long as one likes."""

from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.sim.crashing import CrashingWorld
from tests.sim.simulation import Simulation
from tests.support.world import World


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_months_of_random_customers_keep_every_invariant(world: World, seed: int) -> None:
    Simulation(world, Random(seed), months=3).run()  # noqa: S311 - reproducible, not secret


def test_a_server_killed_at_random_moments_keeps_them_too(temporary_folder: Path) -> None:
    random = Random(1)  # noqa: S311 - reproducible, not secret
    with closing(CrashingWorld(temporary_folder / "home", random, requests_per_crash=80)) as world:
        Simulation(world, random, months=1).run()
    assert world.crashes > 0
