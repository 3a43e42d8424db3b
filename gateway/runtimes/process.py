"""Servers as local processes (npx and uvx users, `make run` without an engine). Must not know MCP, or containers.

Each server leads a session and process group of its own, so that what it starts ends with it; it is written down in the
home, so that the next gateway can end it if this one is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import trio

from gateway import limits, nonblocking
from gateway.catalog.model import ProcessLaunch
from gateway.errors import Gone, StartFailed
from gateway.home import Home
from gateway.ports import StartRequest
from gateway.runtimes.process_output import ProcessOutput
from gateway.runtimes.process_records import end_group, record_process
from gateway.runtimes.process_table import group_lives, process_exists, signal_group
from gateway.runtimes.stderr_tail import LineSink, StderrTail, discard_line
from gateway.telemetry.log import get_logger

_log = get_logger("runtimes")

_INHERITED: Final = ("PATH", "HOME", "LANG", "TMPDIR", "USER")
"""What every program may expect. The rest of our environment holds other people's secrets."""
_INHERITED_PREFIX: Final = "LC_"
_KILLED_S: Final = 1.0
"""Until a killed process is reaped: immediate, unless it hangs in the kernel."""
_SHELL_SIGNAL: Final = 128


class ProcessRuntime:
    """`ports.Runtime` for local processes.

    Args:
        home: where processes are written down.
        instance_id: this gateway's; its lock protects them from the reaper.
        environ: where inherited variables are taken from.
        on_stderr: takes each line of a server's stderr.
    """

    def __init__(
        self,
        home: Home,
        instance_id: str,
        *,
        environ: Mapping[str, str] = os.environ,
        on_stderr: LineSink = discard_line,
    ) -> None:
        self._home = home
        self._instance_id = instance_id
        self._environ = environ
        self._on_stderr = on_stderr

    async def start(self, request: StartRequest) -> ProcessLink:
        """Starts a server's process.

        Cancellation: nothing is left behind.

        Raises:
            StartFailed
        """
        launch = request.launch
        if not isinstance(launch, ProcessLaunch):
            raise TypeError(f"{request.server} is no process")
        process = await self._spawn(request.server, launch)
        link = ProcessLink(process, StderrTail(request.server, self._on_stderr))
        recorded = False
        try:
            record = partial(
                record_process, self._home, self._instance_id, request.server, process.pid
            )
            link.record = await trio.to_thread.run_sync(record)
            recorded = True
        except OSError as error:
            raise StartFailed(
                f"{request.server} was not started, as {self._home.run} cannot be written ({error}): "
                "make the home writable"
            ) from error
        finally:
            if not recorded:
                with trio.move_on_after(limits.STOP_DEADLINE_S, shield=True):
                    await link.kill()
        _log.debug("process_started", server=request.server, process=process.pid)
        return link

    async def _spawn(self, server: str, launch: ProcessLaunch) -> trio.Process:
        try:
            return await trio.lowlevel.open_process(
                list(launch.command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment(launch),
                cwd=launch.cwd,
                start_new_session=True,
            )
        except ValueError as error:
            # A NUL, or a "=" in a variable's name: from a secret or a setting, so that it must not be shown.
            raise StartFailed(
                f"{server} could not be started: a character in its command or environment is one that no program can "
                "be given; check its settings and secrets"
            ) from error
        except OSError as error:
            if launch.cwd and error.filename == launch.cwd:
                remedy = f"make the folder {launch.cwd}, or correct `process.cwd` of its entry"
            else:
                remedy = f"install {launch.command[0]}, or correct `process` of its entry"
            raise StartFailed(f"{server} could not be started ({error}): {remedy}") from error

    def _environment(self, launch: ProcessLaunch) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in self._environ.items()
            if name in _INHERITED or name.startswith(_INHERITED_PREFIX)
        }
        return inherited | dict(launch.env)


class ProcessLink:
    """`ports.Link` over the pipes of a local process."""

    def __init__(self, process: trio.Process, tail: StderrTail) -> None:
        # A `trio.Process` is made of `FdStream`s; its annotations only promise streams.
        if (
            not isinstance(process.stdin, trio.lowlevel.FdStream)
            or not isinstance(process.stdout, trio.lowlevel.FdStream)
            or not isinstance(process.stderr, trio.lowlevel.FdStream)
        ):
            raise TypeError("a server's process has three pipes")
        self._process = process
        self._stdin = process.stdin
        self._tail = tail
        self._output = ProcessOutput(process.stdout, process.stderr, tail, pid=process.pid)
        # One reader at a time: the owner's, or the one that drains while closing.
        self._reading = trio.Lock()
        # Where the process is written down; removed once it has been seen to end.
        self.record: Path | None = None
        self._closing = False
        self._closed = trio.Event()

    def __repr__(self) -> str:
        """The process and how far the link is."""
        state = "closed" if self._closed.is_set() else "closing" if self._closing else "open"
        return f"<ProcessLink {self.name} {state}>"

    @property
    def name(self) -> str:
        """The process id, as people say it."""
        return f"process {self._process.pid}"

    @property
    def kind(self) -> str:
        """The literal `pipe`."""
        return "pipe"

    def stderr_tail(self) -> str:
        """The last of the server's stderr."""
        return self._tail.text()

    def exit_status(self) -> int | None:
        """The exit status as shells count it (128 + signal), None while it runs."""
        status = self._process.returncode
        return status if status is None or status >= 0 else _SHELL_SIGNAL - status

    async def send_all(self, frame: bytes | memoryview) -> None:
        """Writes to the server's stdin.

        Raises:
            Gone: the server no longer reads.
        """
        try:
            await self._stdin.send_all(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Gone(f"{self.name} no longer reads its input") from error

    def send_nowait(self, frame: bytes | memoryview) -> int:
        """Writes what goes without waiting.

        Raises:
            Gone: the server no longer reads.
        """
        try:
            return nonblocking.write_nowait(self._stdin.fileno(), frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Gone(f"{self.name} no longer reads its input") from error

    async def receive_some(self) -> bytes:
        """The next bytes of stdout; b"" once it has ended."""
        # Without a checkpoint where nobody else reads: this is the path of every answer.
        try:
            self._reading.acquire_nowait()
        except trio.WouldBlock:
            await self._reading.acquire()
        try:
            while not self._output.ended:
                if chunk := await self._output.receive():
                    return chunk
        finally:
            self._reading.release()
        return b""

    async def learn_ending(self) -> None:
        """Waits for the exit status: what stderr held was read with the end of stdout."""
        with trio.move_on_after(limits.ENDING_S):
            await self._process.wait()

    async def aclose(self) -> None:
        """Ends stdin, waits, TERM to the group, waits, KILL. Completed when the caller is cancelled; idempotent."""
        if not self._closing:
            self._closing = True
            with trio.move_on_after(limits.STOP_DEADLINE_S, shield=True):
                await self._stop_gently()
            with trio.move_on_after(_KILLED_S, shield=True):
                await self._kill()
        await self._closed.wait()

    async def kill(self) -> None:
        """KILL to the group at once, also while `aclose` is still being patient."""
        self._closing = True
        with trio.move_on_after(_KILLED_S, shield=True):
            await self._kill()
        await trio.lowlevel.checkpoint()

    async def _stop_gently(self) -> None:
        await self._stdin.aclose()
        with trio.move_on_after(limits.STOP_GRACE_S):
            async with trio.open_nursery() as nursery:
                # What it still has to say would block it; and its output may be held open by a child of its own.
                nursery.start_soon(self._drain)
                await self._process.wait()
                nursery.cancel_scope.cancel()
        if self._owns_group():
            await end_group(self._process.pid)

    async def _drain(self) -> None:
        async with self._reading:
            while not self._output.ended:
                await self._output.receive()

    async def _kill(self) -> None:
        try:
            if self._owns_group():
                signal_group(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        finally:
            self._output.close()
            with trio.move_on_after(_KILLED_S, shield=True):
                await trio.aclose_forcefully(self._stdin)
            self._forget()
            self._closed.set()

    def _owns_group(self) -> bool:
        """Whether anything is left of the group, and it is still ours.

        Once the leader is reaped its id may be used again, though not before the group is empty: a leader that lives is
        then a stranger.
        """
        if self._process.returncode is not None and process_exists(self._process.pid):
            return False
        return group_lives(self._process.pid)

    def _forget(self) -> None:
        """Removes the record, unless the process is there in spite of all."""
        if self.record is not None and self._process.returncode is not None:
            with suppress(OSError):
                self.record.unlink(missing_ok=True)
