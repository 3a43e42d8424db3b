"""Which runtime starts which kind of launch. Must not know how any of them works."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.ports import Link, Runtime, StartRequest
from gateway.runtimes import RUNTIMES


class RuntimeByLaunch:
    """`ports.Runtime` that hands each start to the runtime of its launch's kind.

    Args:
        runtimes: one for each kind that `RUNTIMES` names.
    """

    def __init__(self, runtimes: Mapping[str, Runtime]) -> None:
        self._runtimes = dict(runtimes)

    async def start(self, request: StartRequest) -> Link:
        """Starts a server where its launch belongs.

        Raises:
            EngineUnreachable, ImageMissing, StartFailed
        """
        return await self._runtimes[RUNTIMES[type(request.launch)]].start(request)
