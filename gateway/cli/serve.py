"""Runs a gateway with its transports until it is told to stop: the place where actors and transports meet.

Signals: on the network transports SIGTERM and SIGINT drain, a second one forces, SIGHUP reloads. On stdio all three
mean what the end of input means: nobody reads any more.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import trio

from actors.supervisor import Gateway, open_gateway
from gateway import garbage, limits
from gateway.auth.bearer import Authenticator, Bearer, Open, Token, load_token
from gateway.auth.origin import network_rules
from gateway.catalog.model import ContainerLaunch, PociLaunch
from gateway.errors import OptionError
from gateway.home import Home
from gateway.options import GatewayOptions
from gateway.ports import Announcement
from gateway.runtimes.engine_endpoint import locate_engine
from gateway.telemetry.log import get_logger

log = get_logger("serve")

Announce = Callable[[Announcement], None]
"""Told once when clients can connect."""

_ENDING: Final = frozenset({signal.SIGTERM, signal.SIGINT})


async def run_gateway(
    options: GatewayOptions, environ: Mapping[str, str], *, announce: Announce, program: str
) -> int:
    """Serves until the client leaves (stdio) or a signal comes (network); gives the exit status.

    Raises:
        ConfigError: the options name something that cannot be used.
    """
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with open_gateway(options, environ) as gateway:
            _require_socket(gateway, environ)
            if options.transport == "stdio":
                return await _serve_pipe(gateway, signals, announce=announce)
            network = _Network(gateway, environ, program=program)
            await network.serve(signals, announce=announce)
            return 0


def _require_socket(gateway: Gateway, environ: Mapping[str, str]) -> None:
    """In a container, sees to it that the engine's socket was mounted: outside, an engine may start later.

    Raises:
        OptionError: it was not, and a server needs the engine.
    """
    options = gateway.options
    needed = any(
        isinstance(server.launch, (ContainerLaunch, PociLaunch))
        for server in gateway.snapshot.servers.values()
    )
    if not options.in_container or options.static or not needed:
        return
    endpoint = locate_engine(environ)
    if endpoint.kind == "unix" and not Path(endpoint.path).exists():
        raise OptionError(
            f"the engine's socket {endpoint.path} is not in this container: start it with `docker run "
            f"-v /var/run/docker.sock:{endpoint.path}`"
        )


async def _serve_pipe(gateway: Gateway, signals: AsyncIterator[int], *, announce: Announce) -> int:
    """Serves the client that holds our stdin and stdout."""
    # lazy: the network transports do without it
    from gateway.transports.stdio import serve_stdio  # noqa: PLC0415 - see above

    gateway.hurry()
    spoke = False
    announce(_announcement(gateway))
    garbage.set_aside()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on_signal, signals, nursery.cancel_scope)
        spoke = await serve_stdio(gateway.sessions)
        nursery.cancel_scope.cancel()
    _exit_in_time()
    if gateway.options.in_container and not spoke:
        raise OptionError(
            "stdin ended before any client spoke: start the container with `docker run -i`, or choose a "
            "network transport with --transport sse or --transport streaming"
        )
    return 0


def _exit_in_time() -> None:
    """Has the process end after `limits.STDIO_EXIT_S`, whatever hangs: an engine's call in a thread cannot be cancelled.

    What it leaves then has lost its stdin, which ends servers that behave; the others are reaped at the next start.
    """
    timer = threading.Timer(limits.STDIO_EXIT_S, os._exit, (0,))
    timer.daemon = True
    timer.start()


async def _cancel_on_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """Any signal ends a conversation on stdio."""
    async for number in signals:
        log.info("signal", name=signal.Signals(number).name)
        scope.cancel()


class _Network:
    """The network transports: one application on one port."""

    def __init__(self, gateway: Gateway, environ: Mapping[str, str], *, program: str) -> None:
        self._gateway = gateway
        self._options = gateway.options
        self._program = program
        self._stop = trio.Event()
        self._draining = trio.CancelScope()
        self._last_writes = trio.CancelScope()
        self._served = trio.Event()
        """Set when no client has anything more to get."""
        home = Home(Path(self._options.home))
        self._token: Token | None = None
        self._auth: Authenticator = Open()
        if not self._options.allow_unauthenticated:
            self._token = load_token(environ, home)
            self._auth = Bearer(self._token.value, key=self._token.value.encode())

    async def serve(self, signals: AsyncIterator[int], *, announce: Announce) -> None:
        """Listens until a signal, then drains; a second signal cuts the drain short."""
        # lazy: stdio does without the HTTP stack
        from gateway.transports.asgi import make_app  # noqa: PLC0415 - see above
        from gateway.transports.bind import default_hosts  # noqa: PLC0415 - see above
        from gateway.transports.descriptors import (  # noqa: PLC0415 - see above
            raise_descriptor_limit,
        )
        from gateway.transports.front import Front  # noqa: PLC0415 - see above
        from gateway.transports.listen import serve_http  # noqa: PLC0415 - see above

        raise_descriptor_limit()
        options = self._options
        hosts = (
            (options.host,) if options.host else default_hosts(in_container=options.in_container)
        )
        front = Front(
            self._gateway.sessions,
            self._gateway,
            auth=self._auth,
            rules=network_rules(
                hosts=hosts, allow_hosts=options.allow_hosts, allow_origins=options.allow_origins
            ),
            program=self._program,
        )
        app = make_app(front, self._gateway.sessions, self._gateway)
        listen = partial(
            serve_http,
            app,
            lane=front if options.fast_lane else None,
            hosts=hosts,
            port=options.port,
            stop=self._stop,
            tls_cert=options.tls_cert,
            tls_key=options.tls_key,
        )
        async with trio.open_nursery() as nursery:
            addresses = await nursery.start(self._listen, listen)
            announce(_announcement(self._gateway, urls=self._urls(addresses), token=self._token))
            garbage.set_aside()
            await self._until_told(signals)
            nursery.start_soon(self._hurry_on_signal, signals)
            await self._drain()
            await self._finish()
            nursery.cancel_scope.cancel()

    async def _listen(
        self,
        listen: Callable[..., Awaitable[object]],
        *,
        task_status: trio.TaskStatus[tuple[tuple[str, int], ...]],
    ) -> None:
        """Serves clients until they have all that they get."""
        async with trio.open_nursery() as nursery:
            task_status.started(await nursery.start(listen))
        self._served.set()

    async def _hurry_on_signal(self, signals: AsyncIterator[int]) -> None:
        """A second signal cuts the drain short, and the servers' time to end by themselves."""
        async for number in signals:
            log.info("signal", name=signal.Signals(number).name)
            if number in _ENDING:
                self._draining.cancel()
                self._bound_last_writes(limits.HURRY_GRACE_S)
                self._gateway.hurry()

    async def _until_told(self, signals: AsyncIterator[int]) -> None:
        """Returns at the first signal that ends; SIGHUP reads the catalogs again."""
        async for number in signals:
            log.info("signal", name=signal.Signals(number).name)
            if number in _ENDING:
                return
            self._gateway.reload()

    async def _drain(self) -> None:
        """Accepts nothing new, and lets calls in flight end."""
        self._draining.deadline = trio.current_time() + self._options.drain_timeout_s
        with self._draining:
            await self._gateway.drain()

    async def _finish(self) -> None:
        """Ends the streams, the servers and the connections. The last answers go out while the servers end."""
        self._stop.set()
        self._gateway.sessions.close_all()
        self._bound_last_writes(limits.LAST_WRITES_S)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._gateway.stop)
            with self._last_writes:
                await self._served.wait()

    def _bound_last_writes(self, seconds: float) -> None:
        """Waits for clients that read no longer than that from now, and no longer than was said before."""
        until = trio.current_time() + seconds
        self._last_writes.deadline = min(self._last_writes.deadline, until)

    def _urls(self, addresses: tuple[tuple[str, int], ...]) -> dict[str, str]:
        """The URLs as a client on this machine would write them."""
        scheme = "https" if self._options.tls_cert else "http"
        host, port = addresses[0]
        if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
            host = "127.0.0.1"
        place = f"{f'[{host}]' if ':' in host else host}:{port}"
        base = f"{scheme}://{place}"
        return {
            "sse": f"{base}/sse",
            "streaming": f"{base}/mcp",
            "ws": f"{'wss' if self._options.tls_cert else 'ws'}://{place}/ws",
            "health": f"{base}/health",
        }


def _announcement(
    gateway: Gateway, *, urls: Mapping[str, str] | None = None, token: Token | None = None
) -> Announcement:
    """What there is to say once clients can connect."""
    snapshot = gateway.snapshot
    faults = tuple(
        f"{fault.name} is left out ({fault.origin}): {fault.reason}" for fault in snapshot.faults
    )
    shown = token.value if token is not None and token.origin in {"home", "memory"} else None
    return Announcement(
        urls=urls or {},
        token=shown,
        servers=tuple(snapshot.servers),
        notes=(*snapshot.notes, *faults),
    )
