"""The tools of a `poci` entry: one container per call, run to its end. Must not know engines, nor how templates are filled.

A call's arguments fill the tool's command, volumes and user; an argument is never more than one item of the command line, and no
shell sees it. Nothing is kept between calls.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
import trio

from actors.answers import failure_of
from actors.call import Answer, Call
from actors.kit.guard import guard
from actors.relief import Holding
from actors.reports import PoolState, Reports
from actors.upstream import Opener
from gateway import poci
from gateway.catalog.launch import prepare_tool
from gateway.catalog.model import ContainerLaunch, EnabledServer, PociLaunch, PociTool
from gateway.errors import (
    CatalogError,
    GatewayError,
    Gone,
    InvalidParams,
    TooSlow,
    UnknownMethod,
)
from gateway.jsonrpc.messages import Notification
from gateway.mcp import params
from gateway.mcp.profile import ClientProfile
from gateway.mcp.spoken import Spoken
from gateway.ports import OneShotRuntime, StartRequest
from gateway.telemetry.log import get_logger

log = get_logger("poci")


class PociServer:
    """Takes calls as a pool does, and answers each with a container of its own.

    Args:
        server: an enabled server whose launch is a `PociLaunch`.
        runtime: where the containers run.
        reports: told the lists.
        in_sight: whether the engine sees the same files as we do, so that links can be followed before a bind is judged.
    """

    def __init__(
        self,
        server: EnabledServer,
        runtime: OneShotRuntime,
        *,
        reports: Reports,
        in_sight: bool = True,
    ) -> None:
        self.server = server
        self._runtime = runtime
        self._reports = reports
        self._resolve = os.path.realpath if in_sight else posixpath.normpath
        # Calls that came before `run`; and those that run, or wait for room, with what gives them up.
        self._early: list[Call] = []
        self._running: dict[Call, trio.CancelScope] = {}
        self._room = trio.CapacityLimiter(max(1, server.pooling.max))
        self._nursery: trio.Nursery | None = None
        self._lists_wanted = trio.Event()
        # Set, and replaced, whenever nothing runs any more.
        self._quiet = trio.Event()
        self._last_error: GatewayError | None = None

    def __repr__(self) -> str:
        """The server and how many calls run."""
        return f"<PociServer {self.server.name} running={len(self._running)}>"

    # --- calls -------------------------------------------------------------------------------------------------

    @property
    def spoken(self) -> Spoken:
        """The answers are ours, in legacy words."""
        return Spoken(legacy=True, modern=False)

    def submit(self, call: Call) -> None:
        """Starts a container for a call, which settles later. Returns at once."""
        call.holder = self
        if self._nursery is None:
            self._early.append(call)
        else:
            self._start(call, self._nursery)

    def withdraw(self, call: Call, reason: str) -> None:
        """Gives up a call: its container is killed and removed."""
        call.holder = None
        if call in self._early:
            self._early.remove(call)
        if (scope := self._running.get(call)) is not None:
            log.debug("call_given_up", server=self.server.name, reason=reason)
            scope.cancel()

    def release(self, owner: str) -> None:
        """The owner left: its calls are withdrawn."""
        for call in [call for call in (*self._early, *self._running) if call.owner == owner]:
            call.withdraw("owner left")

    def expect(self, profile: ClientProfile) -> None:
        """These tools know nothing of their client."""

    def inform(self, owner: str, notification: Notification) -> None:
        """There is nobody to be informed."""

    def set_log_level(self, owner: str, level: str) -> None:
        """These tools do not log."""

    def want_lists(self) -> None:
        """Has the lists reported, soon: they are known, but who asks is not ready for an answer yet."""
        self._lists_wanted.set()

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Lives until cancelled; then nothing runs and nobody waits any more."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                early, self._early = self._early, []
                for call in early:
                    self._start(call, nursery)
                try:
                    await self._report_lists()
                finally:
                    # What comes while the nursery closes is one of those that wait, and fails with them.
                    self._nursery = None
        finally:
            error = Gone(f"server {self.server.name} was stopped")
            for call in [*self._early, *self._running]:
                call.settle(failure_of(error))
            self._early.clear()
            self._running.clear()

    async def kill(self) -> None:
        """Kills every container at once."""
        for scope in self._running.values():
            scope.cancel()
        await trio.lowlevel.checkpoint()

    def replace(self, server: EnabledServer, opener: Opener) -> None:  # noqa: ARG002 - a pool's way of starting
        """Runs another spec from now on; calls in flight end as they began."""
        self.tune(server)

    def tune(self, server: EnabledServer) -> None:
        """Takes over an entry."""
        self.server = server
        self._room.total_tokens = max(1, server.pooling.max)
        self.want_lists()

    def idle(self) -> bool:
        """Whether no call waits or runs."""
        return not self._early and not self._running

    async def wait_idle(self) -> None:
        """Returns once no call waits or runs. The deadline is the caller's."""
        while not self.idle():
            await self._quiet.wait()

    def holdings(self) -> list[Holding]:
        """None: what runs works, and is gone afterwards."""
        return []

    def freeze(self, key: int) -> None:
        """There is nothing to freeze."""

    def give_up(self, key: int) -> None:
        """There is nothing to give up."""

    async def measure(self) -> None:
        """One-shot containers are gone before anybody could ask."""
        await trio.lowlevel.checkpoint()

    def state(self) -> PoolState:
        """The server for people."""
        now = trio.current_time()
        return PoolState(
            server=self.server.name,
            containers=tuple(
                ("", "busy", call.owner, 1, now - call.started) for call in self._running
            ),
            waiting=len(self._early),
            failures=0,
            last_error=str(self._last_error or ""),
        )

    async def _report_lists(self) -> None:
        while True:
            await self._lists_wanted.wait()
            self._lists_wanted = trio.Event()
            self._reports.learned(self.server.name, poci.lists_of(self.server))

    # --- one call ----------------------------------------------------------------------------------------------

    def _start(self, call: Call, nursery: trio.Nursery) -> None:
        self._running[call] = trio.CancelScope(deadline=call.deadline)
        nursery.start_soon(guard, partial(self._crashed, call), self._serve, call)

    async def _serve(self, call: Call) -> None:
        """Runs one call to its end, or to its deadline, and settles it."""
        scope = self._running[call]
        answer: Answer | None = None
        try:
            with scope:
                async with self._room:
                    answer = await self._answer(call)
            call.settle(answer or failure_of(self._given_up(call)))
        except GatewayError as error:
            self._last_error = error
            call.settle(failure_of(error))
        # Not in a `finally`: when all of us is cancelled, `run` settles what is still there.
        self._done(call)

    async def _answer(self, call: Call) -> msgspec.Raw:
        """The result of a `tools/call`.

        Cancellation: the container is killed and removed.

        Raises:
            UnknownMethod, UnknownTarget, InvalidParams: the call is wrong.
            BackendError: its container could not be run.
        """
        if call.method != "tools/call":
            raise UnknownMethod(f"server {self.server.name} serves tools only, not {call.method}")
        launch = poci.launch_of(self.server)
        tool = poci.tool_named(launch, params.text(call.fields, "name"))
        arguments = poci.read_arguments(tool, call.fields.get("arguments"))
        # In a thread: a bind's links are followed on a file system that may be slow.
        filled = await trio.to_thread.run_sync(self._fill, launch, tool, arguments)
        request = StartRequest(
            server=self.server.name, launch=filled, spec_hash=self.server.spec_hash
        )
        output = await self._runtime.run(request)
        if output.stderr:
            self._reports.last_words(self.server.name, output.stderr)
        return poci.call_result(output)

    def _fill(
        self, launch: PociLaunch, tool: PociTool, arguments: Mapping[str, Any]
    ) -> ContainerLaunch:
        """The container of one call.

        Raises:
            InvalidParams: the arguments ask for a mount or a user that is not to be had.
        """
        home = os.environ.get("HOME", "").rstrip("/") if self._resolve is os.path.realpath else ""
        try:
            return prepare_tool(
                launch, tool, arguments, server=self.server.name, home=home, resolve=self._resolve
            )
        except CatalogError as error:
            raise InvalidParams(f"The tool {tool.name!r} cannot be run so: {error}") from error

    def _given_up(self, call: Call) -> GatewayError:
        """Why a call ended without an answer: its deadline, or an order to stop."""
        if trio.current_time() < call.deadline:
            return Gone(f"server {self.server.name} was stopped; the call's outcome is unknown")
        return TooSlow(
            f"no answer from server {self.server.name} within {call.timeout_s:g} s; "
            "its container was removed, the call's outcome is unknown"
        )

    def _done(self, call: Call) -> None:
        self._running.pop(call, None)
        if self.idle():
            self._quiet.set()
            self._quiet = trio.Event()

    def _crashed(self, call: Call, error: Exception) -> None:
        """A bug of ours costs one call."""
        log.crash("poci_call_crashed", error, server=self.server.name)
        call.settle(failure_of(GatewayError("the gateway failed to handle this call; see its log")))
        self._done(call)
