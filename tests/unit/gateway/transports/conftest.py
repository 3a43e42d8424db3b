"""A served site for every test that wants one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.gateway.transports.serving import Site, serving


@pytest.fixture(params=[True, False], ids=["lane", "hypercorn"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A gateway front on a free port, with a token; with the fast lane and without."""
    site = Site(fast_lane=request.param)
    async with serving(site) as served:
        yield served


@pytest.fixture
async def lane() -> AsyncIterator[Site]:
    """The same, with the fast lane."""
    async with serving(Site()) as served:
        yield served
