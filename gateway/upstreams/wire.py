"""HTTP to one remote server: httpx with our rules. Must not know JSON-RPC.

The rules: headers with secrets go to one origin only, so redirects are followed within it and refused elsewhere; the
environment's proxies and certificates are honoured; connecting has a limit, answering has none (deadlines are the owner's); every
error of httpx becomes one of ours, without a header's value in it.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final

import httpx
import trio

from gateway import limits
from gateway.catalog.model import RemoteLaunch
from gateway.errors import Gone, ProtocolFault, Unavailable, UpstreamError
from gateway.telemetry.refusals import refused
from gateway.upstreams.addresses import origin, shown, within
from gateway.upstreams.admission import Admission
from gateway.upstreams.connecting import checked_headers, probe_when_silent, why_not_connected
from gateway.upstreams.credentials import Credentials
from gateway.upstreams.refusals import Asked
from gateway.upstreams.retry_after import retry_after_s

_REDIRECTS: Final = {301, 302, 307, 308}
"""303 is left out: it asks for a GET, and no endpoint of MCP answers a POST so."""
_PERMANENT: Final = {301, 308}


class Broken(Gone):
    """The connection broke after the request was on its way: its outcome is unknown."""

    retryable = True


class Reply:
    """One answer: its head, and its body as it comes. Made and closed by `Wire.exchange`."""

    def __init__(self, response: httpx.Response, who: str) -> None:
        self._response = response
        self._who = who
        # Without a chunk size: httpx would otherwise hold events back until a chunk is full.
        self._chunks = response.aiter_bytes()
        self.status: int = response.status_code
        self.url = str(response.url)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, looked up in any case."""
        return self._response.headers

    @property
    def is_success(self) -> bool:
        """Whether the status is one of 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def receive_some(self) -> bytes:
        """The next bytes of the body, b"" at its end.

        Raises:
            Broken: the connection broke before the end.
        """
        try:
            return await anext(self._chunks, b"")
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise Broken(
                f"{self._who} broke the connection before its answer was complete: the outcome is unknown"
            ) from error

    async def read(self, max_bytes: int) -> bytes:
        """The whole body.

        Raises:
            Broken: the connection broke before the end.
            ProtocolFault: it is longer than `max_bytes`.
        """
        parts: list[bytes] = []
        size = 0
        while chunk := await self.receive_some():
            size += len(chunk)
            if size > max_bytes:
                refused("from_servers.MAX_FRAME_BYTES")
                raise ProtocolFault(f"{self._who} sent an answer of more than {max_bytes} bytes")
            parts.append(chunk)
        return b"".join(parts)

    async def aclose(self) -> None:
        """Gives the connection back, or drops it where the body was not read to its end."""
        # httpx reads through nested async generators. Only an exception from the innermost await unwinds them in order; a
        # cancellation is one. Left alone, each would be finalized by the garbage collector, with a warning.
        with trio.CancelScope() as scope, suppress(httpx.HTTPError, httpx.StreamError):
            scope.cancel()
            async for _ in self._chunks:
                pass
        with suppress(httpx.HTTPError):
            await self._response.aclose()


class _Body(httpx.AsyncByteStream):
    """A request's body: one piece, once.

    httpx's own is an async generator: cancelled while it is written, it is left to the garbage collector, with a warning.
    """

    def __init__(self, content: bytes) -> None:
        self._left = [content]

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


class Wire:
    """The connections to one remote server. Opened once, closed once."""

    def __init__(
        self, launch: RemoteLaunch, *, server: str, credentials: Credentials | None = None
    ) -> None:
        self._url = launch.url
        self._server = server
        self._credentials = credentials or Credentials(launch.headers)
        # The version of the headers that the client has.
        self._version = self._credentials.version
        self._client: httpx.AsyncClient | None = None
        self.asked = Asked(server, shown(launch.url), tuple(launch.headers))
        self.who = f"server {server!r} ({self.asked.address})"

    @property
    def url(self) -> str:
        """Where requests go: the entry's url, or where that permanently redirects to."""
        return self._url

    async def open(self) -> None:
        """Prepares the client; no connection is made yet.

        Raises:
            Unavailable: the url or a header cannot be used at all.
        """
        if origin(self._url) is None:
            raise Unavailable(f"{self.who} has no http or https url: correct the url of its entry")
        headers = checked_headers(self._credentials.headers, self.who)
        # In a thread: reading the certificates takes a tenth of a second, in which every client would wait.
        try:
            self._client = await trio.to_thread.run_sync(_make_client, headers)
        except (ValueError, ImportError, OSError) as error:
            raise Unavailable(
                f"{self.who} cannot be asked: a proxy or certificate variable of the environment is wrong: {error}"
            ) from error

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        headers: Mapping[str, str],
        *,
        content: bytes | None = None,
        url: str = "",
        deadline: float = math.inf,
    ) -> AsyncIterator[Reply]:
        """Sends one request and hands out its answer, whatever its status. Closes the answer.

        A request that is put off, or whose credentials are refused, was not executed: it is sent anew where that may help.

        Args:
            method: of HTTP.
            headers: beside those of the entry.
            content: the body.
            url: where it goes, if not to the entry's url.
            deadline: until when an answer is of use, on trio's clock.

        Raises:
            Unavailable: the server was not reached; nothing was sent.
            Broken: the connection broke; the outcome is unknown.
        """
        admission = Admission(self._credentials, server=self._server, deadline=deadline)
        while True:
            version = self._credentials.version
            response = await self._request(method, url or self._url, headers, content)
            reply = Reply(response, self.who)
            try:
                asked_s = retry_after_s(reply.headers)
                pause = await admission.pause_s(reply.status, asked_s, version=version)
                if pause is None:
                    yield reply
                    return
            finally:
                with trio.CancelScope(
                    deadline=trio.current_time() + limits.REMOTE_CLOSE_S, shield=True
                ):
                    await reply.aclose()
            await trio.sleep(pause)

    async def aclose(self) -> None:
        """Closes all connections. Idempotent, bounded."""
        client, self._client = self._client, None
        if client is not None:
            with trio.move_on_after(limits.REMOTE_CLOSE_S, shield=True):
                await client.aclose()

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> httpx.Response:
        """Sends a request, following redirects within the origin; the caller closes the response."""
        for _ in range(limits.MAX_REDIRECTS + 1):
            response = await self._send(method, url, headers, content)
            target = self._redirect(response)
            if target is None:
                return response
            await response.aclose()
            if url == self._url and response.status_code in _PERMANENT:
                self._url = target
            url = target
        refused("from_servers.MAX_REDIRECTS")
        raise UpstreamError(f"{self.who} redirects in circles: check the url of its entry")

    def _redirect(self, response: httpx.Response) -> str | None:
        """Where to go instead, if the answer says so and the place is of the same origin."""
        location = response.headers.get("location")
        if response.status_code not in _REDIRECTS or not location:
            return None
        return within(str(response.url), location)

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> httpx.Response:
        if self._client is None:
            raise Gone(f"{self.who} is closed")
        if self._version != self._credentials.version:
            self._version = self._credentials.version
            self._client.headers = checked_headers(self._credentials.headers, self.who)
        try:
            request = self._client.build_request(
                method,
                url,
                headers=dict(headers),
                content=content,
                extensions={"trace": probe_when_silent},
            )
            if content is not None:
                request.stream = _Body(content)
            return await self._client.send(request, stream=True)
        except httpx.ConnectTimeout as error:
            raise Unavailable(
                f"{self.who} cannot be reached: no connection in {limits.CONNECT_TIMEOUT_S:g} s"
            ) from error
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise Unavailable(
                f"{self.who} cannot be reached: {why_not_connected(error)}"
            ) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            # Not the error's own text: h11 quotes the header's value.
            raise Unavailable(
                f"{self.who} cannot be asked: check url and headers of its entry"
            ) from error
        except httpx.HTTPError as error:
            raise Broken(
                f"{self.who} broke the connection before it answered: the outcome is unknown"
            ) from error


def _make_client(headers: list[tuple[bytes, bytes]]) -> httpx.AsyncClient:
    """The client of one server: its own pool of connections and cookies (load balancers keep sessions in place by these)."""
    return httpx.AsyncClient(
        headers=headers,
        timeout=httpx.Timeout(None, connect=limits.CONNECT_TIMEOUT_S),
        limits=httpx.Limits(
            # Bounded by the messages in flight; a cancellation must not wait for a place in the pool.
            max_connections=None,
            max_keepalive_connections=limits.REMOTE_KEEPALIVE_CONNECTIONS,
            keepalive_expiry=limits.REMOTE_KEEPALIVE_S,
        ),
        follow_redirects=False,
        trust_env=True,
    )
