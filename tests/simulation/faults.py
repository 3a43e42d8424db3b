"""What is done to the gateway and to what it stands on: deaths, crashes, a slow or full disk, jumps of the clock, reloads.

A method for each kind of step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs

from gateway import limits

if TYPE_CHECKING:
    from tests.simulation.world import World

ACTORS: Final = (
    "deadlines",
    "sessions",
    "listings",
    "last-words",
    "reaper",
    "snapshots",
    "catalog-watcher",
    "call-log",
)


class Faults:
    """Steps that hurt; `a` and `b` choose whom, and how."""

    def __init__(self, world: World) -> None:
        self._world = world

    def do_kill(self, a: int, _b: int) -> None:
        """A container dies."""
        live = [one for one in self._world.engine.live if one.character.name != "steady"]
        if live:
            live[a % len(live)].die(137)

    def do_starts_fail(self, a: int, _b: int) -> None:
        """Starts of one server fail from now on."""
        self._world.engine.failing.add(self._other(a))

    def do_starts_hang(self, a: int, _b: int) -> None:
        """Starts of one server hang from now on."""
        self._world.engine.hanging.add(self._other(a))

    def do_starts_well(self, _a: int, _b: int) -> None:
        """Starts succeed again."""
        self._world.engine.failing.clear()
        self._world.engine.hanging.clear()

    def do_engine_slow(self, a: int, _b: int) -> None:
        """The engine takes its time."""
        self._world.engine.slow_s = 1.0 + a % 5
        self._world.trouble(60.0)

    def do_engine_gone(self, _a: int, _b: int) -> None:
        """The engine does not answer."""
        self._world.engine.is_gone = True
        self._world.trouble(60.0)

    def do_engine_back(self, _a: int, _b: int) -> None:
        """The engine is well again."""
        if self._world.engine.is_gone or self._world.engine.slow_s:
            self._world.trouble(60.0)
        self._world.engine.is_gone = False
        self._world.engine.slow_s = 0.0

    def do_crash_pool(self, a: int, _b: int) -> None:
        """A pool crashes."""
        self._crash(f"pool:{self._other(a)}")

    def do_crash_actor(self, a: int, _b: int) -> None:
        """An actor that all share crashes."""
        self._world.trouble(10.0)
        self._crash(ACTORS[a % len(ACTORS)])

    def do_reload(self, a: int, b: int) -> None:
        """The configuration changes: a server is removed, changed, or comes back."""
        name = self._other(a)
        match b % 5:
            case 0 if len(self._world.servers) > 1:
                self._world.servers.pop(name, None)
            case 1:
                self._world.enable(self._world.characters[name])
            case 2 if name in self._world.servers:
                tools = frozenset({"echo"})
                self._world.servers[name] = structs.replace(self._world.servers[name], tools=tools)
            case 3:
                self._world.characters[name] = structs.replace(
                    self._world.characters[name], max=1 + b % 4, warm=b % 2
                )
                self._world.enable(self._world.characters[name])
            case _:
                self._world.enable(structs.replace(self._world.characters[name], greeting="ok"))
        self._world.gateway.reload()

    def do_disk(self, a: int, _b: int) -> None:
        """The disk is quick, slow, or full."""
        self._world.disk.takes_s = (0.0, 0.1, 3.0)[a % 3]
        self._world.disk.full = a % 5 == 0
        self._world.trouble(10.0)

    def do_jump(self, a: int, _b: int) -> None:
        """The gateway stands still, and time goes on."""
        jump_s = float(1 + 30 * (a % 5))
        self._world.clock.jump(jump_s)
        for ticket in self._world.oracle.open.values():
            # The gateway stood still: it cannot have answered meanwhile.
            ticket.allowed_s += jump_s
        self._world.trouble(0.0)

    def do_announce(self, a: int, _b: int) -> None:
        """A server says that its lists have changed."""
        live = self._world.engine.live
        if live:
            live[a % len(live)].server.announce()

    def _other(self, a: int) -> str:
        """One of the servers that may be troubled."""
        names = [name for name in self._world.characters if name != "steady"]
        return names[a % len(names)]

    def _crash(self, name: str) -> None:
        if self._world.crashes < limits.RESTART_INTENSITY and self._world.bombs.explode(name):
            self._world.crashes += 1
