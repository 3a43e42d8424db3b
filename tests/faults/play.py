"""Plays one cell of the matrix: sets the scene, does the fault, sees what clients are told, and how soon all is well again.

`cells.py` says what each fault means.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.cli.leaks import find_leaks
from gateway.limits import LIST_TIMEOUT_S
from tests.e2e.gateways import Network, await_true
from tests.faults import stage as scenes
from tests.faults.caller import Caller, hold_half_open, send_garbage
from tests.faults.cells import Cell, Outcome, told
from tests.faults.stage import INIT_MS, LIST_MS, SOON_S, Process, Stage, Witness

HELD_S: Final = 1.0
"""How long what does not last for ever lasts."""
WORK_MS: Final = 1500
"""How long a call is under way that a fault meets."""
RECOVERED_S: Final = 30.0
TOLD_S: Final = 25.0
"""Until the client has been told: its deadline, a list's wait, and some patience."""
INTO_S: Final = 0.3
"""From a server's start to the fault that meets it in its slow first step."""
HUNG_S: Final = 4.0
"""The deadline of calls to a server that will hang: it is waited for in vain. The others have all the time they need."""
LISTED_S: Final = LIST_TIMEOUT_S + 20.0
AT_ONCE_S: Final = 1.0
"""From the death of a server to the failure of its calls on a machine with much else to do; docs/reliability.md has what it
really takes."""
UNDISTURBED_S: Final = 3.0
"""What another client's call to another server may take meanwhile: whole containers are started beside it."""
MORE_DESCRIPTORS: Final = 24
"""A gateway that has recovered may keep so many more than before: pooled connections to the engine, closed ones that wait
to be collected. The soak tells whether they grow."""

_SIGNALS: Final = {
    "SIGKILL": signal.SIGKILL,
    "SIGSTOP": signal.SIGSTOP,
    "SIGTERM": signal.SIGTERM,
    "exit 0": signal.SIGQUIT,
    "hang": signal.SIGUSR1,
    "flood": signal.SIGUSR2,
    "garbage": signal.SIGHUP,
}
"""How servers and clients of the tests are told to misbehave."""
_DEADLY: Final = frozenset({"SIGKILL", "SIGTERM", "exit 0"})


class Played(NamedTuple):
    """What came of a cell. `told_ms`: from the fault until the client was told; None where nothing was under way."""

    outcome: Outcome | None
    told_ms: float | None
    recovered_ms: float


def is_hung(cell: Cell) -> bool:
    """Whether the fault is one that only a deadline can find."""
    return cell.target in {"container", "remote server"} and cell.fault not in _DEADLY


class TooLate(Exception):
    """The request was answered before the fault could be done: the machine is that busy. Another try may be in time."""


class Play:
    """One cell, played once."""

    def __init__(self, stage: Stage, cell: Cell) -> None:
        self._stage = stage
        self.cell = cell
        self._server = "far" if cell.target == "remote server" else "one"
        self._init_ms = INIT_MS if cell.phase == "handshake" else 0
        self._list_ms = LIST_MS if cell.phase == "list" else 0
        self._place = stage.place(
            init_ms=self._init_ms,
            list_ms=self._list_ms,
            timeout_s=HUNG_S if is_hung(cell) else SOON_S,
            listed=cell.phase != "list",
        )
        self._engine = stage.engine.client()
        self._cleanup = ExitStack()
        self._flooder: Process
        self._held = self._cleanup.enter_context(ExitStack())
        """Connections that are half open."""
        self._gateway: Network
        self._warmed = 0
        """Outcomes of the client's before the request that the fault meets."""
        self._fired = 0.0
        self._over = 0.0
        """When the fault came, and when it had ended: at once where it is an event, later where it lasts."""

    def run(self) -> Played:
        """Plays it; nothing is left of it afterwards, whatever happens.

        Raises:
            TooLate
            AssertionError: an invariant does not hold.
        """
        with self._cleanup:
            self._cleanup.callback(self._engine.close)
            self._cleanup.callback(self._restore)
            self._remote = self._cleanup.enter_context(self._far())
            self._gateway = self._first = self._start_gateway()
            self._subject = self._cleanup.enter_context(scenes.subject(self._gateway))
            if (self.cell.target, self.cell.fault) == ("gateway", "flood"):
                # Another client; while the gateway drains it would come too late.
                self._flooder = self._cleanup.enter_context(scenes.subject(self._gateway))
            witness = Witness(self._gateway) if self._has_witness() else None
            descriptors = self._descriptors()
            self._set_scene()
            if len(self._subject.seen("outcome")) > self._warmed:
                raise TooLate(self.cell)
            self._fire()
            outcome, told_ms = self._see_what_is_told()
            self._end_fault()
            recovered_ms = self._recover()
            if witness is not None:
                self._hear(witness)
            if self._gateway.process.poll() is None and self.cell.phase != "draining":
                self._settle(descriptors)
            self._strike()
        self._look_for_leaks()
        return Played(outcome, told_ms, recovered_ms)

    # --- before ------------------------------------------------------------------------------------------------

    def _start_gateway(self) -> Network:
        return self._cleanup.enter_context(self._place.network())

    def _far(self):  # noqa: ANN202 - a context manager's private type
        return scenes.remote_server(self._stage.port, self._init_ms, self._list_ms)

    def _has_witness(self) -> bool:
        """Where the gateway goes on: another client, which must notice nothing."""
        return self.cell.target in {
            "container",
            "client",
            "remote server",
        } and self.cell.phase not in {
            "list",
            "draining",
        }

    def _set_scene(self) -> None:
        """Brings the client's request to where the fault shall meet it."""
        server, subject = self._server, self._subject
        match self.cell.phase:
            case "idle":
                self._warm()
            case "handshake":
                subject.call(f"{server}_echo", text="a")
                self._await_server()
            case "list":
                subject.tell("tools/list")
                self._await_server()
            case "mid-stream":
                self._warm()
                subject.call(f"{server}_stream", ms=WORK_MS)
                subject.await_event("progress")
            case "mid-call" | "draining":
                self._warm()
                subject.call(f"{server}_sleep", ms=WORK_MS)
                time.sleep(0.3)  # from outside it shows no sign of having reached its server
        if self.cell.phase == "draining":
            self._gateway.signal(signal.SIGTERM)
            self._gateway.await_log("name=SIGTERM")

    def _warm(self) -> None:
        """Has the server started, however busy the machine is."""
        await_true(lambda: self._ask_echo()["outcome"] == "answer", "the server runs", SOON_S)
        self._warmed = len(self._subject.seen("outcome"))

    def _ask_echo(self) -> dict[str, Any]:
        before = len(self._subject.seen("outcome"))
        self._subject.call(f"{self._server}_echo", text="b")
        # Where the first list hangs, nobody knows the tool before another server has been asked for it.
        patience_s = LISTED_S if self.cell.phase == "list" else SOON_S
        return self._subject.await_event("outcome", before + 1, patience_s)

    def _await_server(self) -> None:
        """Returns within the slow step of a server that has just been started."""
        if self._server == "one":
            scenes.server_pid(self._engine, self._place, "one")
        time.sleep(INTO_S)

    def _descriptors(self) -> int:
        return len(list(Path(f"/proc/{self._gateway.process.pid}/fd").iterdir()))

    # --- the fault ---------------------------------------------------------------------------------------------

    def _fire(self) -> None:
        """Does the fault. What lasts for a while is ended by `_end_fault`."""
        act: Callable[[], None] = {
            "gateway": self._hurt_gateway,
            "container": self._hurt_container,
            "dockerd": self._hurt_engine,
            "client": self._hurt_client,
            "remote server": self._hurt_remote,
        }[self.cell.target]
        act()
        self._over = self._fired

    def _hurt_gateway(self) -> None:
        fault, address = self.cell.fault, Caller(self._gateway.url, "").address
        self._fired = time.monotonic()
        match fault:
            case "hang":
                for connection in hold_half_open(address, 200):
                    self._held.callback(connection.close)
            case "garbage":
                send_garbage(address)
            case "flood":
                self._flooder.process.send_signal(signal.SIGUSR2)
            case "exit 0":
                self._gateway.signal(signal.SIGINT)
            case _:
                self._gateway.signal(_SIGNALS[fault])

    def _hurt_container(self) -> None:
        pid = scenes.server_pid(self._engine, self._place, "one")
        self._fired = time.monotonic()
        os.kill(pid, _SIGNALS[self.cell.fault])

    def _hurt_engine(self) -> None:
        engine, fault = self._stage.engine, self.cell.fault
        if fault == "exit 0":
            engine.restore_containers(live=True)
        self._fired = time.monotonic()
        match fault:
            case "hang" | "flood" | "garbage":
                self._stage.door.manner = fault
            case "exit 0":
                engine.signal(signal.SIGTERM)
            case _:
                engine.signal(_SIGNALS[fault])

    def _hurt_client(self) -> None:
        self._fired = time.monotonic()
        self._subject.process.send_signal(_SIGNALS[self.cell.fault])

    def _hurt_remote(self) -> None:
        self._fired = time.monotonic()
        self._remote.send_signal(_SIGNALS[self.cell.fault])

    def _end_fault(self) -> None:
        """Ends what lasts, and starts again what has died and is not the gateway's to start."""
        match self.cell.target, self.cell.fault:
            case ("gateway" | "client", "SIGSTOP"):
                self._continue()
            case ("gateway", "SIGKILL" | "SIGTERM" | "exit 0"):
                self._replace_gateway()
            case ("dockerd", "SIGKILL" | "SIGTERM" | "exit 0"):
                self._stage.engine.wait()
                self._over = time.monotonic()
                self._stage.engine.start()
            case ("dockerd", _) | ("remote server", "SIGSTOP"):
                self._continue()
            case ("remote server", _):
                self._remote.kill()
                self._remote.wait()
                self._over = time.monotonic()
                self._cleanup.enter_context(self._far())

    def _continue(self) -> None:
        """Lets what was stopped go on, once it has been so for long enough."""
        time.sleep(max(0.0, self._fired + HELD_S - time.monotonic()))
        if self.cell.target == "dockerd":
            self._stage.engine.signal(signal.SIGCONT)
            self._stage.door.manner = "pass"
        else:
            {
                "gateway": self._gateway.process,
                "client": self._subject.process,
                "remote server": self._remote,
            }[self.cell.target].send_signal(signal.SIGCONT)
        self._over = time.monotonic()

    def _replace_gateway(self) -> None:
        """Waits for its end, and starts another one, as a supervisor of the machine would."""
        status = self._gateway.wait()
        expected = -signal.SIGKILL if self._is_killed() else 0
        assert status == expected, self._gateway.log[-3000:]
        self._gateway = self._start_gateway()

    def _restore(self) -> None:
        """Whatever was hurt is well again for the next cell."""
        self._stage.door.manner = "pass"
        self._stage.engine.revive()
        if self._gateway.process.poll() is None:
            self._gateway.signal(signal.SIGCONT)
        if self.cell.target == "dockerd" and self.cell.fault == "exit 0":
            self._stage.engine.restore_containers(live=False)

    # --- after -------------------------------------------------------------------------------------------------

    def _see_what_is_told(self) -> tuple[Outcome | None, float | None]:
        """What the client is told of its request. A fault that is over by itself is ended meanwhile."""
        expected = told(self.cell)
        if not expected:
            return None, None
        if expected == {"none"}:
            return "none", None
        if self.cell.fault == "SIGSTOP" and self.cell.target != "container":
            self._continue()
        event = self._subject.await_event("outcome", self._warmed + 1, TOLD_S)
        outcome: Outcome = event["outcome"]
        assert outcome in expected, f"{event['text']}\n{self._gateway.log[-3000:]}"
        told_ms = (event["at"] - self._fired) * 1000
        if self._dies_at_once():
            assert told_ms < AT_ONCE_S * 1000, f"{told_ms:.0f} ms: {event['text']}"
        return outcome, told_ms

    def _dies_at_once(self) -> bool:
        return (
            self.cell.target == "container"
            and self.cell.fault in _DEADLY
            and self.cell.phase in {"mid-call", "mid-stream", "draining"}
        )

    def _recover(self) -> float:
        """Milliseconds from the end of the fault until a call to the server is answered again."""
        if self.cell.phase == "draining" and self._gateway is self._first:
            self._replace_gateway()
        if self._same_session():
            self._call_again()
        else:
            self._call_anew()
        recovered_ms = (time.monotonic() - self._over) * 1000
        if self.cell.target == "dockerd":
            # The session may have kept a container through all this: one that has to be started tells more.
            self._call_anew()
        return recovered_ms

    def _is_killed(self) -> bool:
        return self.cell.target == "gateway" and self.cell.fault == "SIGKILL"

    def _same_session(self) -> bool:
        """Whether the client and its gateway are those of before."""
        gateway_lives = self.cell.phase != "draining" and not (
            self.cell.target == "gateway" and self.cell.fault in _DEADLY
        )
        return gateway_lives and self.cell.target != "client"

    def _call_again(self) -> None:
        """In the same session, until it works. After a death it works at once."""
        tries = 0
        deadline = time.monotonic() + (LISTED_S if self.cell.phase == "list" else RECOVERED_S)
        while True:
            tries += 1
            event = self._ask_echo()
            if event["outcome"] == "answer":
                break
            assert time.monotonic() < deadline, f"{event['text']}\n{self._gateway.log[-3000:]}"
            time.sleep(0.02)
        if (
            self.cell.target == "container"
            and self.cell.fault in _DEADLY
            and self.cell.phase != "list"
        ):
            # In an idle cell the first call may meet the dying server: it is told so, for its outcome is unknown.
            allowed = 2 if self.cell.phase == "idle" else 1
            assert tries <= allowed, f"the call after the death fails:\n{self._gateway.log[-3000:]}"

    def _call_anew(self) -> None:
        """In a new session, until it works."""
        deadline = time.monotonic() + RECOVERED_S
        said = ""
        while time.monotonic() < deadline:
            caller = Caller(self._gateway.url, self._gateway.token)
            try:
                caller.initialize()
                outcome, said = caller.call(f"{self._server}_echo", text="c")
            except OSError as error:
                outcome, said = "cut", repr(error)
            if outcome == "answer":
                return
            time.sleep(0.02)
        raise AssertionError(f"{said}\n{self._gateway.log[-3000:]}")

    def _hear(self, witness: Witness) -> None:
        witness.end()
        bad = [one for one in witness.outcomes if one != ("answer", "w")]
        assert not bad, bad[:3]
        assert witness.slowest_s < UNDISTURBED_S, f"another client waited {witness.slowest_s:.2f} s"

    def _settle(self, descriptors: int) -> None:
        """A gateway that has recovered lets go of everything by itself."""
        self._subject.process.kill()
        self._held.close()
        await_true(
            lambda: not scenes.containers(self._engine, self._place), "idle containers go", SOON_S
        )
        await_true(
            lambda: self._descriptors() <= descriptors + MORE_DESCRIPTORS,
            f"descriptors beyond {descriptors} are closed",
            SOON_S,
        )

    def _strike(self) -> None:
        """Ends the gateway in good order."""
        if self._gateway.process.poll() is None:
            self._gateway.signal(signal.SIGTERM)
        assert self._gateway.wait() == 0, self._gateway.log[-3000:]

    def _look_for_leaks(self) -> None:
        """Nothing of the home is left: on the engine, in its folder, among the processes."""
        environ = {"DOCKER_HOST": self._stage.engine.url}
        leaks = find_leaks(self._place.home, environ)
        assert not leaks.unseen, leaks.unseen
        own = [leak for leak in leaks.found if leak.own]
        assert not own, own
        assert not scenes.processes_of(self._place)


def play(stage: Stage, cell: Cell, tries: int = 3) -> Played:
    """Plays a cell, again where the fault came too late."""
    for _ in range(tries - 1):
        with suppress(TooLate):
            return Play(stage, cell).run()
    return Play(stage, cell).run()
