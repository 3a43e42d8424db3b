"""Which runtime starts which kind of launch. Must not know how any of them works."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import EngineUnreachable
from gateway.ports import Link, Runtime, StartRequest


class RuntimeByLaunch:
    """`ports.Runtime` that hands each start to the runtime of its launch's kind (see `RUNTIMES`).

    Args:
        runtimes: by kind; one that is missing is not in reach.
        missing: the sentence for a kind that is not there.
    """

    def __init__(self, runtimes: Mapping[str, Runtime], *, missing: str = "") -> None:
        self._runtimes = dict(runtimes)
        self._missing = missing or "no container engine is in reach: `docker version` shows why"

    async def start(self, request: StartRequest) -> Link:
        """Starts a server where its launch belongs.

        Raises:
            EngineUnreachable, ImageMissing, StartFailed
        """
        # lazy: the table is the package's, and the package must be importable without this module
        from gateway.runtimes import RUNTIMES  # noqa: PLC0415 # see above

        runtime = self._runtimes.get(RUNTIMES[type(request.launch)])
        if runtime is None:
            raise EngineUnreachable(f"{request.server} cannot run: {self._missing}")
        return await runtime.start(request)
