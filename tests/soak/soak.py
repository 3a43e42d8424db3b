"""Runs clients, faults and reloads against one gateway, and compares it at rest before and after.

Loopback only, a bounded rate of calls: what is looked for is what adds up, not how fast it goes.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import docker

from gateway.cli.leaks import find_leaks
from tests.e2e.gateways import Network, await_true
from tests.e2e.places import Place
from tests.e2e.processes import echo_processes, process_entry
from tests.faults.caller import Caller, Refused, hold_half_open, send_garbage
from tests.faults.stage import containers, processes_of, remote_server
from tests.soak.clients import Client, Silent, modern, sse, stdio, streamable, websocket

WORKERS: Final = 4
PAUSE_S: Final = 0.15
"""Between two calls of a worker: some 20 calls a second in all, beside what faults cost."""
FAULT_S: Final = 1.5
"""Between two faults, in the mean."""
RELOAD_S: Final = 7.0
CALLS: Final = 12
"""Calls of one client at most; then it leaves, or vanishes."""
QUIET_S: Final = 60.0
"""Until a gateway that nobody uses has let go of everything: idle servers, removals, tries after faults."""
WARM_UP: Final = 0.4
"""The part of the soak after which the first look is taken: caches, pools and the allocator have grown by then."""
MORE_DESCRIPTORS: Final = 10
"""Beyond the first look: as many connections to the engine as may be pooled."""
MORE_THREADS: Final = 8
MORE_MEMORY: Final = 1.2
MORE_MEMORY_MIB: Final = 24
"""Resident memory at the end is at most so much more than at the first look: fragments, and what Python keeps for itself."""
_TOOLS: Final = ("box_echo", "rogue_echo", "local_echo", "far_echo")
_WAYS: Final = (
    "exit",
    "hang",
    "flood",
    "garbage",
    "stderr",
    "twice",
    "unknown",
    "log",
    "deaf",
    "version",
    "fork",
    "close",
)


class Look(NamedTuple):
    """A gateway at rest."""

    descriptors: int
    threads: int
    memory_mib: float


class Report(NamedTuple):
    """What came of a soak."""

    minutes: float
    outcomes: Counter[tuple[str, str]]
    """By the kind of client and its outcome."""
    faults: Counter[str]
    reloads: int
    before: Look
    after: Look

    def __str__(self) -> str:
        calls = sum(self.outcomes.values())
        kinds = sorted({kind for kind, _ in self.outcomes})
        lines = [
            f"{self.minutes:.1f} minutes, {calls} calls, {sum(self.faults.values())} faults, {self.reloads} reloads"
        ]
        for kind in kinds:
            told = {name: count for (one, name), count in self.outcomes.items() if one == kind}
            lines.append(f"  {kind}: " + ", ".join(f"{name} {told[name]}" for name in sorted(told)))
        lines.append(
            "  faults: " + ", ".join(f"{name} {n}" for name, n in sorted(self.faults.items()))
        )
        lines.append(f"  at rest before: {self.before}, after: {self.after}")
        return "\n".join(lines)


class Soak:
    """One run. `place` gets its servers here; `minutes` is how long there is something going on."""

    def __init__(
        self,
        place: Place,
        desk: Place,
        client: docker.APIClient,
        *,
        image: str,
        binary: Path,
        port: int,
        minutes: float,
        seed: int,
    ) -> None:
        self._place = place
        self._desk = desk
        self._client = client
        self._image = image
        self._binary = binary
        self._port = port
        self._minutes = minutes
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._faults: Counter[str] = Counter()
        self._reloads = 0
        self._broken: list[str] = []
        self._remote: ExitStack
        """Holds the remote server, which comes and goes."""
        self._kinds: dict[str, Callable[[Network], AbstractContextManager[Client]]] = {
            "streamable": streamable,
            "2026-07-28": modern,
            "sse": sse,
            "websocket": websocket,
            "stdio": self._desktop,
        }

    def _desktop(self, _gateway: Network) -> AbstractContextManager[Client]:
        """A desktop client, which has a gateway of its own."""
        return stdio(self._desk)

    def run(self) -> Report:
        """All of it. Raises AssertionError where an invariant does not hold."""
        self._write()
        self._write(self._desk)
        with ExitStack() as stack:
            self._remote = stack.enter_context(ExitStack())
            self._remote.enter_context(remote_server(self._port, 0, 0))
            with self._place.network() as gateway:
                self._list(gateway)
                self._work(gateway, self._minutes * WARM_UP)
                before = self._rest(gateway)
                self._work(gateway, self._minutes * (1 - WARM_UP))
                after = self._rest(gateway)
                self._compare(before, after)
        self._look_for_leaks()
        return Report(self._minutes, self._outcomes, self._faults, self._reloads, before, after)

    # --- the scene ---------------------------------------------------------------------------------------------

    def _write(self, place: Place | None = None, *, more: bool = False) -> None:
        """The catalog; `more` adds a server, as somebody who edits it would."""
        place = self._place if place is None else place
        pool = {"timeout_s": 4.0, "init_timeout_s": 10.0, "idle_s": 2.0}
        here = {"image": self._image, "disableNetwork": True, "pool": pool}
        url = f"http://127.0.0.1:{self._port}/mcp"
        far = {"url": url, "transport_type": "streamable-http"}
        servers: dict[str, dict[str, Any]] = {
            "box": {**here, "command": ["--tools=box"]},
            "rogue": {**here, "command": ["--rogue", "--tools=rogue"]},
            "local": process_entry(place, self._binary, "--rogue", "--tools=local", pool=pool),
            "far": {"type": "remote", "remote": far, "pool": pool},
        }
        if more:
            servers["more"] = {**here, "command": ["--tools=more"]}
        place.write(servers)

    def _list(self, gateway: Network) -> None:
        """Has all lists read once."""
        caller = Caller(gateway.url, gateway.token)
        caller.initialize()

        def known() -> bool:
            names = caller.ask("tools/list", {})[1].split()
            return set(_TOOLS) <= set(names)

        await_true(known, "all servers are listed", QUIET_S)
        caller.leave()

    # --- what goes on ------------------------------------------------------------------------------------------

    def _work(self, gateway: Network, minutes: float) -> None:
        """Clients, faults and reloads for so long; all of them have ended at the return."""
        self._stop.clear()
        acts = [partial(self._use, gateway) for _ in range(WORKERS)]
        acts += [partial(self._hurt, gateway), self._reload]
        threads = [threading.Thread(target=self._guarded, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        self._stop.wait(minutes * 60)
        self._stop.set()
        for thread in threads:
            thread.join()
        assert not self._broken, self._broken[:5]
        assert gateway.process.poll() is None, gateway.log[-3000:]

    def _guarded(self, act: Callable[[], None]) -> None:
        """Whatever is found ends the soak."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - told by `_work`
            self._broken.append(repr(error))
            self._stop.set()

    def _use(self, gateway: Network) -> None:
        """One client after the other."""
        while not self._stop.is_set():
            kind = self._random.choices(tuple(self._kinds), weights=(4, 4, 3, 3, 1))[0]
            try:
                with self._kinds[kind](gateway) as client:
                    self._talk(kind, client)
            except (Refused, OSError) as error:
                self._outcomes[kind, f"refused: {type(error).__name__}"] += 1

    def _talk(self, kind: str, client: Client) -> None:
        for _ in range(self._random.randint(1, CALLS)):
            if self._stop.wait(PAUSE_S):
                return
            tool = self._random.choice(_TOOLS)
            outcome, text = client.call(tool, text="soak")
            self._outcomes[kind, outcome] += 1
            if outcome == "twice" or (outcome == "answer" and text != "soak"):
                raise AssertionError(f"{kind} {tool}: {outcome} {text[:500]}")

    def _hurt(self, gateway: Network) -> None:
        """A fault after the other."""
        faults: dict[str, Callable[[Network], None]] = {
            "a server in a container is killed": self._kill_container,
            "a local server is killed": self._kill_process,
            "a server misbehaves": self._misbehave,
            "the remote server is restarted": self._restart_remote,
            "a client vanishes mid-call": self._vanish,
            "rubbish": lambda one: send_garbage(Caller(one.url, "").address),
            "half-open connections": self._half_open,
        }
        while not self._stop.wait(self._random.uniform(0, 2 * FAULT_S)):
            name = self._random.choice(tuple(faults))
            # What is to be hurt may have gone by itself.
            with suppress(OSError, Refused, docker.errors.APIError, IndexError):
                faults[name](gateway)
                self._faults[name] += 1

    def _kill_container(self, _gateway: Network) -> None:
        found = self._random.choice(containers(self._client, self._place))
        self._client.kill(found["Id"])

    def _kill_process(self, _gateway: Network) -> None:
        os.kill(self._random.choice(echo_processes(self._place)), signal.SIGKILL)

    def _misbehave(self, gateway: Network) -> None:
        server = self._random.choice(("rogue", "local"))
        with streamable(gateway) as client, suppress(Silent):
            client.call(f"{server}_misbehave", how=self._random.choice(_WAYS))

    def _restart_remote(self, _gateway: Network) -> None:
        self._remote.close()
        self._remote.enter_context(remote_server(self._port, 0, 0))

    def _vanish(self, gateway: Network) -> None:
        """Nobody reads the answer; the session is left to itself, but for its end."""
        caller = Caller(gateway.url, gateway.token, timeout_s=0.3)
        caller.initialize()
        caller.call("rogue_stream", ms=3000)
        caller.leave()

    def _half_open(self, gateway: Network) -> None:
        held = hold_half_open(Caller(gateway.url, "").address, 20)
        time.sleep(0.5)
        for connection in held:
            connection.close()

    def _reload(self) -> None:
        """A server comes and goes."""
        while not self._stop.wait(RELOAD_S):
            self._reloads += 1
            self._write(more=self._reloads % 2 == 1)

    # --- at rest -----------------------------------------------------------------------------------------------

    def _rest(self, gateway: Network) -> Look:
        """The gateway once nobody uses it: no server runs any more."""
        await_true(
            lambda: not containers(self._client, self._place) and not echo_processes(self._place),
            "idle servers are gone",
            QUIET_S,
        )
        time.sleep(12)  # worker threads of the loop end by themselves after 10 s
        folder = Path(f"/proc/{gateway.process.pid}")
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        return Look(
            descriptors=len(list((folder / "fd").iterdir())),
            threads=int(status["Threads"]),
            memory_mib=round(int(status["VmRSS"].split()[0]) / 1024, 1),
        )

    def _compare(self, before: Look, after: Look) -> None:
        said = f"before {before}, after {after}"
        assert after.descriptors <= before.descriptors + MORE_DESCRIPTORS, said
        assert after.threads <= before.threads + MORE_THREADS, said
        assert after.memory_mib <= before.memory_mib * MORE_MEMORY + MORE_MEMORY_MIB, said

    def _look_for_leaks(self) -> None:
        """Nothing of either home is left."""
        for place in (self._place, self._desk):
            leaks = find_leaks(place.home, os.environ)
            own = [leak for leak in leaks.found if leak.own]
            assert not own, own
            assert not leaks.unseen, leaks.unseen
            assert not processes_of(place)
