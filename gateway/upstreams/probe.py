"""A message pipe that finds out which of the two HTTP transports a server speaks. Must not know either of them.

The rule of the specification: POST `initialize`; where that is answered with 400, 404 or 405 and no JSON-RPC error, GET the same
address and wait for the `endpoint` event of the older transport. Whatever is asked before, by modern requests, decides nothing.

Source: MCP 2025-11-25, transports, "Backwards compatibility".
"""

from __future__ import annotations

import math

import trio

from gateway.catalog.model import RemoteLaunch
from gateway.errors import Gone
from gateway.jsonrpc.messages import Message
from gateway.ports import MessagePipe
from gateway.upstreams.credentials import Credentials
from gateway.upstreams.http import HttpPipe
from gateway.upstreams.param_book import ParamHeaderBook
from gateway.upstreams.sse import SsePipe


class ProbePipe:
    """Streamable HTTP, unless the server's answer to `initialize` says that it is too old; see `ports.MessagePipe`."""

    def __init__(
        self,
        launch: RemoteLaunch,
        *,
        server: str,
        book: ParamHeaderBook | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._newer = HttpPipe(launch, server=server, book=book, credentials=credentials)
        self._older = SsePipe(launch, server=server, credentials=credentials)
        self._pipe: MessagePipe = self._newer
        # Set once it is certain which pipe is used.
        self._settled = trio.Event()

    def __repr__(self) -> str:
        """State and what waits, for logs and tests."""
        return f"<ProbePipe using {self._pipe!r}>"

    @property
    def name(self) -> str:
        """The address, without what in it may be secret."""
        return self._pipe.name

    def stderr_tail(self) -> str:
        """Nothing: a remote server's stderr stays there."""
        return self._pipe.stderr_tail()

    def obituary(self) -> str:
        """Nothing: `receive` says all that is known."""
        return self._pipe.obituary()

    def send(self, message: Message, *, deadline: float = math.inf) -> None:
        """Sends on the pipe in use; see `ports.MessagePipe`."""
        self._pipe.send(message, deadline=deadline)

    async def run(self) -> None:
        """Runs the newer pipe, then the older one where it is needed; see `ports.MessagePipe`."""
        try:
            await self._newer.run()
            if (hello := self._newer.declined) is None:
                return
            self._older.send(hello)
            self._pipe = self._older
        except Gone:
            return  # the older one was closed meanwhile
        finally:
            self._settled.set()
        await self._older.run()

    async def receive(self) -> Message:
        """The server's next message; see `ports.MessagePipe`."""
        if self._pipe is self._older:
            return await self._older.receive()
        try:
            return await self._newer.receive()
        except Gone as declined:
            if self._newer.declined is None:
                raise
            await self._settled.wait()
            return await self._receive_older(declined)

    async def kill(self) -> None:
        """Has `aclose` of both take its leave at once; see `ports.MessagePipe`."""
        await self._newer.kill()
        await self._older.kill()

    async def aclose(self) -> None:
        """Closes both; see `ports.MessagePipe`."""
        await self._newer.aclose()
        await self._older.aclose()

    async def _receive_older(self, declined: Gone) -> Message:
        """The first message of the older transport; where there is none, why neither of the two works."""
        try:
            return await self._older.receive()
        except Gone as error:
            raise Gone(f"{declined}; and as HTTP+SSE: {error}") from error
