"""What several flows share."""

from collections.abc import Iterator

import m3ter
import pytest

from tests.support.world import World


@pytest.fixture
def sdk(world: World) -> Iterator[m3ter.M3ter]:
    """Open the official Python SDK on the test's organization, as strict about answers as it can be."""
    with m3ter.M3ter(
        api_key=world.key,
        api_secret=world.secret,
        org_id=world.org_id,
        base_url=world.live.url,
        _strict_response_validation=True,
    ) as client:
        yield client
