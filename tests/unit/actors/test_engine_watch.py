"""actors/engine_watch.py: an engine at work is asked now and then, and one in trouble until it answers."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from actors.engine_watch import EngineWatch
from gateway import limits
from gateway.errors import EngineUnreachable


class Asked:
    """An engine that answers after `takes_s`, or not at all."""

    def __init__(self) -> None:
        self.takes_s = 0.0
        self.gone = False
        self.times = 0

    async def ping(self) -> None:
        """Answers."""
        self.times += 1
        await trio.sleep(self.takes_s)
        if self.gone:
            raise EngineUnreachable("nobody answers")


async def work(watch: EngineWatch, seconds: float) -> None:
    """The engine does something for us."""
    with watch.working():
        await trio.sleep(seconds)


async def test_short_work_is_not_looked_at(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nor is an engine that does nothing for us."""
    engine = Asked()
    watch = EngineWatch(engine.ping)
    nursery.start_soon(watch.run)
    await trio.sleep(60)
    assert (watch.used, engine.times) == (False, 0)
    await work(watch, limits.ENGINE_SLOW_S / 2)
    await trio.sleep(60)
    assert (watch.used, engine.times) == (True, 0)


@pytest.mark.parametrize(
    ("takes_s", "says"),
    [(0.1, ""), (3.0, "takes 3 s for an answer"), (60.0, "has not answered for 5 s")],
)
async def test_an_engine_that_takes_long_is_asked_why(
    nursery: trio.Nursery, autojump_clock: MockClock, takes_s: float, says: str
) -> None:
    """A start may be long because of a pull; it is the answer that tells."""
    engine = Asked()
    engine.takes_s = takes_s
    watch = EngineWatch(engine.ping)
    nursery.start_soon(watch.run)
    await work(watch, 20)
    assert watch.trouble.endswith(says)
    assert bool(watch.trouble) == bool(says)
    engine.takes_s = 0.0
    await trio.sleep(limits.ENGINE_PROBE_S + 2 * limits.ENGINE_SLOW_S)
    assert watch.trouble == ""
    before = engine.times
    await trio.sleep(60)
    assert engine.times == before


async def test_an_engine_that_is_gone_is_asked_until_it_is_back(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Without anybody asking for a container meanwhile."""
    engine = Asked()
    engine.gone = True
    watch = EngineWatch(engine.ping)
    nursery.start_soon(watch.run)
    with pytest.raises(EngineUnreachable), watch.working():
        raise EngineUnreachable("no such socket")
    assert watch.trouble == "no such socket"
    await trio.sleep(30)
    assert watch.trouble == "nobody answers"
    engine.gone = False
    await trio.sleep(limits.ENGINE_SLOW_S + 0.1)
    assert watch.trouble == ""


async def test_one_that_cannot_be_asked_is_judged_by_what_it_does(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """As an engine whose address cannot be understood."""
    watch = EngineWatch(None)
    nursery.start_soon(watch.run)
    with pytest.raises(EngineUnreachable), watch.working():
        raise EngineUnreachable("what is that address?")
    await trio.sleep(60)
    assert watch.trouble == "what is that address?"
    await work(watch, 1)
    assert watch.trouble == ""
