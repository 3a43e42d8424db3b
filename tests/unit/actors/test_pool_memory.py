"""What a pool's containers count for the memory budget."""

from __future__ import annotations

from typing import cast

from msgspec import structs

from actors.container import Container
from actors.fleet import Fleet
from actors.pool_memory import PoolMemory
from gateway.ports import Freezer
from tests.fakes.house import LAUNCH, FakeFreezer, enabled
from tests.unit.actors.test_fleet import Parked

SERVER = structs.replace(enabled(warm=1), launch=structs.replace(LAUNCH, memory_bytes=2000))


class Weighed(Parked):
    """A container that says what it uses once it is measured."""

    def __init__(self, key: int, uses: int, owner: str | None = None) -> None:
        super().__init__(key, owner)
        self.uses = uses
        self.measured_bytes: int | None = None
        self.idle_since = float(key)
        self.open = True
        self.told = True

    async def measure(self, _freezer: Freezer) -> None:
        """As the engine would say."""
        self.measured_bytes = self.uses


def fleet_of(*weighed: Weighed) -> Fleet:
    """A fleet of these."""
    fleet = Fleet()
    for one in weighed:
        fleet.add(cast("Container", one))
    return fleet


async def test_what_was_not_measured_counts_as_what_it_may_use() -> None:
    """Afterwards as the greatest of its kind, and the pool looks whether more spares fit."""
    fleet, changes = fleet_of(Weighed(1, 30), Weighed(2, 50)), list[str]()
    memory = PoolMemory(fleet, FakeFreezer(), lambda: changes.append("one"))
    assert (memory.next_bytes(SERVER), memory.held_bytes(SERVER)) == (2000, 4000)
    await memory.measure()
    await memory.measure()
    assert (memory.next_bytes(SERVER), memory.held_bytes(SERVER)) == (50, 80)
    assert changes == ["one"]
    fleet.add(cast("Container", Weighed(3, 0)))
    assert memory.held_bytes(SERVER) == 130


async def test_where_nothing_measures_limits_count() -> None:
    """Processes have none, and count nothing."""
    memory = PoolMemory(fleet_of(Weighed(1, 30)), None, lambda: None)
    await memory.measure()
    assert memory.held_bytes(SERVER) == 2000
