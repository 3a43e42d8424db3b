"""Signals that end a command, once it has closed what it opened."""

from __future__ import annotations

import signal

import pytest
import trio

from gateway.cli.interrupts import interruptible
from gateway.errors import UnknownTarget


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_work(number: signal.Signals) -> None:
    """The work is cancelled, and so closes what it has opened; then the signal means again what it meant."""
    closed = False

    async def work() -> None:
        nonlocal closed
        try:
            signal.raise_signal(number)
            await trio.sleep_forever()
        finally:
            closed = True

    with pytest.raises(KeyboardInterrupt):
        await interruptible(work)
    assert (closed, signal.getsignal(number)) == (True, signal.SIG_DFL)


async def test_an_ignored_signal_stays_ignored() -> None:
    """`nohup` is taken at its word."""

    async def work() -> str:
        signal.raise_signal(signal.SIGHUP)
        await trio.lowlevel.checkpoint()
        return "done"

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert await interruptible(work) == "done"
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_without_a_signal_nothing_differs() -> None:
    """Values and errors come through as they are."""

    async def fail() -> None:
        raise UnknownTarget("no")

    async def answer() -> int:
        return 3

    assert await interruptible(answer) == 3
    with pytest.raises(UnknownTarget):
        await interruptible(fail)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
