"""The memory budget: measured now and then, and kept."""

from __future__ import annotations

import trio
from msgspec import structs
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.budget import UNBOUNDED, MemoryBudget
from actors.container_pool import ContainerPool
from gateway.limits import MEASURE_PERIOD_S
from tests.fakes.house import LAUNCH, Answers, FakeBackend, FakeFreezer, enabled, make_pool
from tests.fakes.server import FakeServer


async def test_without_a_budget_nothing_is_asked(autojump_clock: MockClock) -> None:
    """Every spare fits."""
    assert UNBOUNDED.fits(10**12)
    UNBOUNDED.make_room(10**12)
    with trio.move_on_after(100) as waiting:
        await UNBOUNDED.run()
    assert waiting.cancelled_caught


async def test_idle_containers_are_frozen_near_the_budget_and_stopped_beyond_it(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """As measured; a frozen one serves its owner's next call once it is thawed."""
    names = iter("abc")
    backend, answers = FakeBackend(lambda: FakeServer(name=next(names))), Answers()
    freezer = FakeFreezer()
    pools: dict[str, ContainerPool] = {}
    budget = MemoryBudget(100, pools.items)
    pool = pools["fake"] = make_pool(
        nursery, backend, enabled(max=9), freezer=freezer, budget=budget
    )
    nursery.start_soon(budget.run)
    for owner in ("session:a", "session:b"):
        pool.submit(answers.call(owner))
        await trio.sleep(0.1)
    freezer.uses = {"a": 45, "b": 45}
    await trio.sleep(MEASURE_PERIOD_S)
    assert sorted(freezer.done) == ["freeze a", "freeze b"]
    assert pool.state().memory_bytes == 90
    again = answers.call("session:b")
    pool.submit(again)
    await trio.sleep(0.1)
    assert answers.text(again) == "b says hello"
    assert "thaw b" in freezer.done
    freezer.uses["b"] = 80
    await trio.sleep(MEASURE_PERIOD_S)
    assert backend.opened[0].is_killed, "what stands still cannot read the end of its input"
    assert [server.name for server in backend.running if not server.is_killed] == ["b"]


async def test_servers_that_fit_do_not_make_room_for_each_other(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Their limits would not fit; what they use, which is known soon, does."""
    backend, answers, freezer = FakeBackend(), Answers(), FakeFreezer()
    freezer.uses = {"fake": 4}
    pools: dict[str, ContainerPool] = {}
    budget = MemoryBudget(100, pools.items)
    server = enabled(max=9)
    server = structs.replace(server, launch=structs.replace(LAUNCH, memory_bytes=200))
    pool = pools["fake"] = make_pool(nursery, backend, server, freezer=freezer, budget=budget)
    nursery.start_soon(budget.run)
    for owner in ("session:a", "session:b", "session:c"):
        pool.submit(answers.call(owner))
        await trio.sleep(1)
    assert len(backend.running) == 3


async def test_the_floor_is_filled_as_far_as_is_measured_to_fit(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The first spare is started whatever its entry's limit, for only then is it known what it uses."""
    backend, freezer = FakeBackend(), FakeFreezer()
    freezer.uses = {"fake": 30}
    pools: dict[str, ContainerPool] = {}
    budget = MemoryBudget(100, pools.items)
    server = enabled(max=9, warm=5)
    server = structs.replace(server, launch=structs.replace(LAUNCH, memory_bytes=2000))
    pools["fake"] = make_pool(nursery, backend, server, freezer=freezer, budget=budget)
    nursery.start_soon(budget.run)
    await trio.sleep(1)
    assert len(backend.running) == 1
    await trio.sleep(3 * MEASURE_PERIOD_S)
    assert len(backend.running) == 3


async def test_a_call_comes_before_the_budget(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Idle containers make room for it; where none is left it is served all the same. Spares are not."""
    backend, answers, freezer = FakeBackend(), Answers(), FakeFreezer()
    pools: dict[str, ContainerPool] = {}
    budget = MemoryBudget(100, pools.items)
    pool = pools["fake"] = make_pool(
        nursery, backend, enabled(max=9, warm=1), freezer=freezer, budget=budget
    )
    await wait_all_tasks_blocked()
    freezer.uses = {"fake": 90}
    await budget.measure()
    first = answers.call("session:a")
    pool.submit(first)
    await wait_all_tasks_blocked()
    assert answers.text(first) == "fake says hello"
    assert len(backend.running) == 1, "a further spare of that size does not fit"
    second = answers.call("session:b")
    pool.submit(second)
    await wait_all_tasks_blocked()
    assert answers.text(second) == "fake says hello"
    assert [server.is_closed for server in backend.opened] == [True, False]
