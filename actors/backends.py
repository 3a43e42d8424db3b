"""Where servers run, and whose they are: the instance lock, the engine, local processes, the reaper.

Opening it takes the lock and touches nothing else: the engine is asked for the first time when a container starts, or
when a killed gateway of this home left its lock behind.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import trio

from actors.engine_watch import Engine, EngineWatch, WatchedEngine
from gateway import limits
from gateway.errors import BackendError, EngineRefuses, EngineUnreachable
from gateway.home import Home
from gateway.options import GatewayOptions
from gateway.ports import Freezer, Link, RunOutput, Runtime, StartRequest
from gateway.runtimes.choice import RuntimeByLaunch
from gateway.runtimes.container_config import Owner
from gateway.runtimes.docker_engine import DockerEngine
from gateway.runtimes.engine_endpoint import locate_engine
from gateway.runtimes.engine_facts import PullProgress
from gateway.runtimes.engine_ping import ping
from gateway.runtimes.link_choice import LinkChoice
from gateway.runtimes.named_pipes import sweep_pipes
from gateway.runtimes.ownership import (
    InstanceLock,
    dead_instances,
    drop_stale_locks,
    reap,
    remove_instance,
    remove_orphans,
)
from gateway.runtimes.process import ProcessRuntime
from gateway.runtimes.process_records import sweep_processes
from gateway.runtimes.static import StaticRuntime
from gateway.runtimes.stderr_tail import LineSink
from gateway.telemetry.log import get_logger

log = get_logger("backends")


class Backends:
    """The runtimes of one gateway. Made by `open_backends`; closed by `aclose`."""

    def __init__(
        self,
        home: Home,
        lock: InstanceLock,
        *,
        engine: Engine,
        docker: DockerEngine | None,
        processes: Runtime,
        substitute: Path | None = None,
    ) -> None:
        self.watch = _watch_over(docker)
        """Whether the engine answers, and in time."""
        self.engine: Engine = WatchedEngine(engine, self.watch)
        self.runtime: Runtime = RuntimeByLaunch({"docker": self.engine, "process": processes})
        self._home = home
        self._lock = lock
        self._docker = docker
        self._substitute = substitute
        """The folder that stands for a home that cannot be written; it goes with us."""

    @property
    def freezer(self) -> Freezer | None:
        """What freezes and measures containers."""
        return self._docker.freezer if self._docker is not None else None

    @property
    def engine_trouble(self) -> str:
        """Why the engine cannot be used, or cannot well; "" while it can."""
        return self.watch.trouble

    @property
    def instance_id(self) -> str:
        """This gateway's, among those of its home."""
        return self._lock.instance_id

    @property
    def control_path(self) -> Path:
        """Where this gateway's own socket is."""
        return self._home.control(self._lock.instance_id)

    @property
    def shares_files(self) -> bool:
        """Whether the engine sees the files that we see: it is on this machine, and we are in no container."""
        return self._docker is not None and self._docker.shares_files

    async def engine_in_reach(self) -> bool:
        """Whether a container engine answers.

        Raises:
            EngineRefuses: there is one, and it refuses us; the text has the fix.
        """
        if self._docker is None:
            return False
        try:
            with trio.fail_after(limits.ENGINE_PROBE_S):
                await self._docker.ping()
        except trio.TooSlowError:
            return False
        except EngineRefuses:
            raise
        except EngineUnreachable:
            return False
        return True

    async def reap_forever(self) -> None:
        """Removes what nobody takes care of: at once where there is a sign of it, then now and then.

        That is what killed gateways of this home left, and what an engine in trouble kept of ours. An engine that does not
        answer is tried again; it is no failure of ours.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.watch.run)
            await self._reap_now_and_then()

    async def _reap_now_and_then(self) -> None:
        while True:
            if self.watch.used or dead_instances(self._home):
                await self._reap()
            with trio.move_on_after(limits.REAP_PERIOD_S):
                await self._wait_dropped()
                await trio.sleep(limits.ORPHAN_RETRY_S)

    async def watch_networks(self) -> None:
        """Ends the containers whose shared network was lost, until cancelled."""
        if self._docker is None:
            await trio.sleep_forever()
        else:
            await self._docker.networks.watch()

    async def _wait_dropped(self) -> None:
        """Returns once a container of ours may have been left."""
        if self._docker is None:
            await trio.sleep_forever()
        else:
            await self._docker.holdings.dropped()

    async def aclose(self) -> None:
        """Removes by label what is still there of ours, gives up the engine's connections and the lock.

        Bounded by `limits.REMOVE_TIMEOUT_S`; completed when cancelled.
        """
        if self._docker is not None:
            with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True):
                if self.watch.used:
                    await self._remove_own(self._docker)
                await self._docker.aclose()
        self._lock.release()
        if self._substitute is not None:
            shutil.rmtree(self._substitute, ignore_errors=True)

    async def _reap(self) -> None:
        """One look at the engine, at the records of local processes and at named pipes."""
        await sweep_processes(self._home)
        await trio.to_thread.run_sync(sweep_pipes, self._home)
        if self._docker is None:
            return
        docker = self._docker
        try:
            await reap(docker, self._home)
            await remove_orphans(docker, self.instance_id, docker.holdings)
        except BackendError as error:
            docker.holdings.drop()
            self.watch.failed(str(error))
            log.debug("not_reaped", reason=str(error))
        else:
            self.watch.succeeded()
            drop_stale_locks(self._home)

    async def _remove_own(self, docker: DockerEngine) -> None:
        """The last act: whatever the links have not removed."""
        try:
            await remove_instance(docker, self._lock.instance_id)
        except BackendError as error:
            log.warning("containers_may_be_left", reason=str(error))


def _watch_over(docker: DockerEngine | None) -> EngineWatch:
    """Over ssh each connection takes as long as a login, which says nothing of the engine: there only silence counts."""
    if docker is None:
        return EngineWatch(None)
    by_ssh = docker.endpoint.kind == "ssh"
    slow_s = limits.ENGINE_PROBE_S if by_ssh else limits.ENGINE_SLOW_S
    return EngineWatch(partial(ping, docker.endpoint), slow_s=slow_s)


class _NoEngine:
    """Stands for an engine whose address cannot be understood: the reason comes with each start.

    Raises:
        EngineUnreachable: always.
    """

    def __init__(self, reason: EngineUnreachable) -> None:
        self._reason = str(reason)

    async def start(self, _request: StartRequest) -> Link:
        """Refuses."""
        await trio.lowlevel.checkpoint()
        raise EngineUnreachable(self._reason)

    async def run(self, _request: StartRequest) -> RunOutput:
        """Refuses."""
        await trio.lowlevel.checkpoint()
        raise EngineUnreachable(self._reason)


def open_backends(options: GatewayOptions, environ: Mapping[str, str]) -> Backends:
    """Takes the instance lock and prepares the runtimes. The caller closes it."""
    wanted = Home(Path(options.home))
    home, lock = _take_lock(wanted)
    on_stderr = stderr_log(verbose=options.verbose)
    processes = ProcessRuntime(home, lock.instance_id, environ=environ, on_stderr=on_stderr)
    docker: DockerEngine | None = None
    engine: Engine
    if options.static:
        engine = StaticRuntime()
    else:
        try:
            engine = docker = DockerEngine(
                locate_engine(environ),
                Owner(home.identity(), lock.instance_id),
                links=LinkChoice(home, options.link),
                in_container=options.in_container,
                on_stderr=on_stderr,
                on_pull=_log_pull,
            )
        except EngineUnreachable as error:
            engine = _NoEngine(error)
    return Backends(
        home,
        lock,
        engine=engine,
        docker=docker,
        processes=processes,
        substitute=home.root if home is not wanted else None,
    )


def _take_lock(home: Home) -> tuple[Home, InstanceLock]:
    """The lock, in a home of its own for this run where the real one cannot be written."""
    try:
        home.identity()
        return home, InstanceLock.take(home)
    except OSError as error:
        log.warning("home_not_writable", home=str(home.root), reason=str(error))
        substitute = Home(Path(tempfile.mkdtemp(prefix="mcpgw-")))
        return substitute, InstanceLock.take(substitute)


def stderr_log(*, verbose: bool) -> LineSink:
    """What takes the lines that servers write on their stderr: the log, where an operator asked to see them."""
    write = log.info if verbose else log.debug

    def take(server: str, line: str) -> None:
        write("server_stderr", server=server, line=line)

    return take


def _log_pull(progress: PullProgress) -> None:
    """How far a pull is."""
    log.info(
        "pulling_image",
        image=progress.image,
        status=progress.status,
        done_bytes=progress.done_bytes,
        total_bytes=progress.total_bytes,
    )
