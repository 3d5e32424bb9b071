"""The worker of jobs: that it leaves nothing behind, whenever it is stopped."""

import asyncio
from contextlib import suppress

import pytest

from tallystick.platform.jobs import Jobs
from tallystick.platform.postgres import external_postgres


@pytest.mark.parametrize("after_ms", [0, 1, 2, 5, 10, 20, 50, 200])
def test_a_worker_stopped_at_any_moment_leaves_no_task(migrated_url: str, after_ms: int) -> None:
    async def run() -> set[asyncio.Task[None]]:
        working = asyncio.create_task(Jobs(external_postgres(migrated_url).conninfo).work(alone=False))
        await asyncio.sleep(after_ms / 1000)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(run()) == set()
