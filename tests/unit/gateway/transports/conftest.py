"""A served site for every test that wants one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.gateway.transports.serving import Site, serving


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A gateway front on a free port, with a token."""
    async with serving(Site()) as served:
        yield served
