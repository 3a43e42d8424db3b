"""What a pool's containers count for the memory budget."""

from __future__ import annotations

from typing import cast

from msgspec import structs

from actors.container import Container
from actors.fleet import Fleet
from actors.pool_memory import PoolMemory
from tests.fakes.house import LAUNCH, FakeFreezer, enabled
from tests.unit.actors.test_fleet import Parked

SERVER = structs.replace(enabled(warm=1), launch=structs.replace(LAUNCH, memory_bytes=2000))


class Weighed(Parked):
    """As much of a container as is looked at."""

    def __init__(self, key: int, owner: str | None = None) -> None:
        super().__init__(key, owner)
        self.name = f"container-{key}"
        self.measured_bytes: int | None = None
        self.idle_since = float(key)
        self.open = True
        self.told = True


def fleet_of(*weighed: Weighed) -> Fleet:
    """A fleet of these."""
    fleet = Fleet()
    for one in weighed:
        fleet.add(cast("Container", one))
    return fleet


async def test_what_was_not_measured_counts_as_what_it_may_use() -> None:
    """Afterwards as the greatest of its kind, and the pool looks whether more spares fit."""
    fleet, changes, engine = fleet_of(Weighed(1), Weighed(2)), list[str](), FakeFreezer()
    engine.uses = {"container-1": 30, "container-2": 50}
    memory = PoolMemory(fleet, engine, lambda: changes.append("one"))
    assert (memory.next_bytes(SERVER), memory.held_bytes(SERVER)) == (2000, 4000)
    await memory.measure()
    await memory.measure()
    assert (memory.next_bytes(SERVER), memory.held_bytes(SERVER)) == (50, 80)
    assert changes == ["one"]
    fleet.add(cast("Container", Weighed(3)))
    assert memory.held_bytes(SERVER) == 130


async def test_where_nothing_measures_limits_count() -> None:
    """Processes have none, and count nothing."""
    memory = PoolMemory(fleet_of(Weighed(1)), None, lambda: None)
    await memory.measure()
    assert memory.held_bytes(SERVER) == 2000
