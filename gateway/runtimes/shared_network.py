"""Network namespaces that the containers of one server share: each is set up once, and every further start is spared it.

A holder (`network_holder`) has the namespace, the server's containers join it. It comes with the first of them and goes
with the last. Must not know MCP, or why a server's entry asks for this (decision 024).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec
import trio

from gateway import limits
from gateway.errors import BackendError, StartFailed
from gateway.ports import StartRequest
from gateway.runtimes.container_config import container_name
from gateway.runtimes.container_creation import ContainerCreation
from gateway.runtimes.container_link import ContainerLink
from gateway.runtimes.engine_container import ATTACH_SERVER, EngineContainer, discard
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.engine_http import Refused
from gateway.runtimes.link_attach import AttachStream, attach
from gateway.runtimes.network_holder import (
    MARK,
    holder_archive,
    holder_config,
    holder_program,
    joining,
)
from gateway.runtimes.server_start import StartPlan
from gateway.telemetry.log import get_logger

_log = get_logger("runtimes")
_ATTEMPTS: Final = 2
"""Of a start whose network is lost meanwhile."""

Start = Callable[[StartPlan], Awaitable[ContainerLink]]
"""Starts a server's container. Raises what `Runtime.start` may raise."""


class _Holder:
    """A holder that runs, and the stream that tells of its end."""

    def __init__(self, container: EngineContainer, stream: AttachStream) -> None:
        self.container = container
        self.stream = stream

    async def ended(self) -> None:
        """Returns at its end."""
        while not self.stream.ended:
            await self.stream.receive()

    async def aclose(self) -> None:
        """Ends and removes it. Completed when the caller is cancelled, within the time that a removal has."""
        try:
            await self.stream.aclose()
        finally:
            with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True), suppress(BackendError):
                await self.container.remove()


class _Network:
    """One namespace, and who needs it: starts under way, and the containers in it."""

    def __init__(self, key: tuple[str, str]) -> None:
        self.key = key
        self.opening = trio.Lock()
        # None before the first start has opened it, and after it was closed.
        self.holder: _Holder | None = None
        self.starts = 0
        self.members: list[EngineContainer] = []

    @property
    def server(self) -> str:
        """Whose it is."""
        return self.key[0]

    @property
    def needed(self) -> bool:
        """Whether anybody is in it, or about to be."""
        return bool(self.starts or self.members)

    async def aclose(self) -> None:
        """Removes the holder, if there is one."""
        holder, self.holder = self.holder, None
        if holder is not None:
            await holder.aclose()


class SharedNetworks:
    """The shared namespaces of one engine, one for each server and way to start it.

    Args:
        endpoint: where the engine is.
        creation: how containers are made there.
    """

    def __init__(self, endpoint: Endpoint, creation: ContainerCreation) -> None:
        self._endpoint = endpoint
        self._creation = creation
        # By server and hash of its spec: containers of a changed entry do not join those of the old one.
        self._networks: dict[tuple[str, str], _Network] = {}
        # Servers whose holder the engine has refused, with the hash of the spec that this is about.
        self._refused: dict[str, str] = {}
        # Set when a holder has been started: `watch` has one more to look after.
        self._opened = trio.Event()

    @property
    def open(self) -> list[_Network]:
        """Those that somebody is in, or about to be."""
        return list(self._networks.values())

    async def start(self, plan: StartPlan, *, architecture: str, start: Start) -> ContainerLink:
        """Starts a server's container in the namespace of its others.

        Where the engine refuses a holder, it starts in a namespace of its own; once more where the holder was lost
        meanwhile.

        Args:
            plan: what is to be started, with a network of its own.
            architecture: the engine's processor.
            start: how to start it.

        Cancellation: nothing is left behind.

        Raises:
            EngineUnreachable, ImageMissing, StartFailed
        """
        program = holder_program(architecture)
        if program is None:
            self._refuse(plan.request, f"there is no holder for its processor ({architecture})")
            return await start(plan)
        for attempts_left in reversed(range(_ATTEMPTS)):
            network = self._network_of(plan.request)
            network.starts += 1
            try:
                outcome = await self._start_in(network, plan, program, start)
                if outcome is None:
                    break
                if not isinstance(outcome, StartFailed):
                    return outcome
                if not attempts_left or not await self._was_lost(network):
                    raise outcome
            finally:
                network.starts -= 1
                with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True):
                    await self._close_unneeded(network)
        return await start(plan)

    async def _start_in(
        self, network: _Network, plan: StartPlan, program: bytes, start: Start
    ) -> ContainerLink | StartFailed | None:
        """Starts a server in a network; gives why that failed, or None where there is no holder to be had."""
        try:
            holder = await self._hold(network, plan, program)
            if holder is None:
                return None
            config = joining(plan.config, holder.container.identity)
            create = partial(self._create_member, network)
            return await start(msgspec.structs.replace(plan, config=config, create=create))
        except StartFailed as failure:
            return failure

    async def watch(self) -> None:
        """Ends the containers whose holder was lost, until cancelled.

        On a bridge they have lost their interface with it, and would only find out one by one.
        """
        watched: set[_Network] = set()

        async def attend(network: _Network, holder: _Holder) -> None:
            await holder.ended()
            watched.discard(network)
            # Closing ends it, too; then it is no longer the network's.
            if network.holder is holder:
                await self._end_lost(network)

        async with trio.open_nursery() as nursery:
            while True:
                for network in self._networks.values():
                    if network.holder is not None and network not in watched:
                        watched.add(network)
                        nursery.start_soon(attend, network, network.holder)
                await self._opened.wait()
                self._opened = trio.Event()

    def _network_of(self, request: StartRequest) -> _Network:
        key = (request.server, request.spec_hash)
        return self._networks.setdefault(key, _Network(key))

    async def _hold(self, network: _Network, plan: StartPlan, program: bytes) -> _Holder | None:
        """The network's holder, started where there is none; None where the engine refuses one."""
        request = plan.request
        async with network.opening:
            if network.holder is None and self._refused.get(request.server) != request.spec_hash:
                try:
                    network.holder = await self._open(plan, program)
                    self._opened.set()
                except Refused as error:
                    self._refuse(request, error.reason)
            return network.holder

    async def _open(self, plan: StartPlan, program: bytes) -> _Holder:
        """Starts a holder, and waits until its program runs.

        Raises:
            EngineUnreachable, ImageMissing, Refused
        """
        server = plan.request.server
        name = container_name(f"{server}-network")
        container = await plan.create(name, holder_config(plan.config))
        stream: AttachStream | None = None
        holder: _Holder | None = None
        try:
            await container.unpack(holder_archive(program))
            stream = await attach(self._endpoint, container.target(ATTACH_SERVER))
            await container.start()
            await _wait_for_mark(stream)
            holder = _Holder(container, stream)
        finally:
            if holder is None:
                with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True):
                    await discard(container, stream)
        _log.debug("network_opened", server=server, container=name)
        return holder

    async def _create_member(
        self, network: _Network, name: str, config: Mapping[str, Any]
    ) -> EngineContainer:
        async def leave() -> None:
            if member in network.members:
                network.members.remove(member)
            await self._close_unneeded(network)

        member = await self._creation.create(name, config, on_removed=leave)
        network.members.append(member)
        return member

    async def _close_unneeded(self, network: _Network) -> None:
        """Closes a network that nobody is in; whoever comes next gets a new one."""
        if not network.needed:
            self._forget(network)
            await network.aclose()

    async def _was_lost(self, network: _Network) -> bool:
        """Whether its holder no longer runs; whoever comes next then gets a new one."""
        if network.holder is None:
            return True
        if await network.holder.container.runs():
            return False
        await self._end_lost(network)
        return True

    async def _end_lost(self, network: _Network) -> None:
        self._forget(network)
        _log.warning(
            "network_lost",
            server=network.server,
            containers=[member.name for member in network.members],
        )
        for member in list(network.members):
            with suppress(BackendError):
                await member.remove()
        await network.aclose()

    def _forget(self, network: _Network) -> None:
        if self._networks.get(network.key) is network:
            del self._networks[network.key]

    def _refuse(self, request: StartRequest, reason: str) -> None:
        """From now on this server's containers have networks of their own."""
        if self._refused.get(request.server) != request.spec_hash:
            self._refused[request.server] = request.spec_hash
            _log.warning("network_not_shared", server=request.server, reason=reason)


async def _wait_for_mark(stream: AttachStream) -> None:
    """Returns once the holder's program has said that it runs.

    Raises:
        Refused: it does not.
    """
    said = b""
    with trio.move_on_after(limits.NETWORK_OPEN_S):
        while MARK not in said and not stream.ended:
            out, _ = await stream.receive()
            said += out
    if MARK not in said:
        raise Refused(0, "the container that is to hold it does not run")
