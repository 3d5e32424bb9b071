"""A few seeds in every test run; `make sim` goes on for as long as one likes."""

from random import Random

import pytest

from tests.sim.simulation import Simulation
from tests.support.world import World


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_months_of_random_customers_keep_every_invariant(world: World, seed: int) -> None:
    Simulation(world, Random(seed), months=3).run()  # noqa: S311 - reproducible, not secret
