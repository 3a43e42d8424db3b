"""What a draining gateway still owes its clients reaches them, whatever lies before it; who is owed nothing is not waited for."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from gateway.limits import MIB
from tests.e2e.gateways import Network, await_true
from tests.e2e.places import Place
from tests.e2e.processes import process_entry
from tests.e2e.slow_line import slow_line
from tests.soak.clients import Client, sse, streamable, websocket

pytestmark = pytest.mark.slow

Open = Callable[[Network], AbstractContextManager[Client]]

ON_ITS_WAY_S: Final = 0.3
"""Until a call is certainly in its server: from outside it shows no sign of that."""
CALL_S: Final = 1.5
"""The deadline of calls: for so long the server floods."""
PAUSE_S: Final = 1.0
"""For so long the client reads nothing after the drain is over."""
SLOW_BYTES_PER_S: Final = MIB
"""Of a client that would need a quarter of a minute for what a flood leaves in its queue."""
ALL_CARRIERS = pytest.mark.parametrize("opened", [streamable, sse, websocket])


@ALL_CARRIERS
def test_an_answer_reaches_a_client_that_takes_its_time(
    place: Place, echo_binary: Path, opened: Open
) -> None:
    """It is longer than the buffers on the way, and not read before the drain is over."""
    place.write({"one": process_entry(place, echo_binary)})
    with (
        place.network() as gateway,
        slow_line(gateway) as (line, seen),
        opened(seen) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        assert client.call("echo", text="a") == ("answer", "a")
        line.flows.clear()
        told = thread.submit(client.call, "flood", bytes=32 * MIB)
        time.sleep(ON_ITS_WAY_S)
        gateway.signal(signal.SIGTERM)
        await_true(lambda: not listens(gateway), "the drain is over", 10)
        time.sleep(PAUSE_S)
        line.flows.set()
        outcome, text = told.result()
        assert outcome == "answer", text
        assert len(text) == 32 * MIB
        assert gateway.wait() == 0


@ALL_CARRIERS
def test_an_error_behind_a_flood_reaches_a_slow_client(
    place: Place, echo_binary: Path, opened: Open
) -> None:
    """The server writes log messages until its call's deadline, much faster than its client reads."""
    pool = {"timeout_s": CALL_S}
    place.write({"one": process_entry(place, echo_binary, "--rogue", pool=pool)})
    with (
        place.network() as gateway,
        slow_line(gateway) as (line, seen),
        opened(seen) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        assert client.call("echo", text="a") == ("answer", "a")
        line.bytes_per_s = SLOW_BYTES_PER_S
        told = thread.submit(client.call, "misbehave", how="flood")
        time.sleep(ON_ITS_WAY_S)
        gateway.signal(signal.SIGTERM)
        outcome, text = told.result()
        assert outcome == "error", text
        assert "did not answer" in text
        assert gateway.wait() == 0


def listens(gateway: Network) -> bool:
    """Whether it takes connections."""
    parts = urlsplit(gateway.url)
    assert parts.hostname is not None
    assert parts.port is not None
    try:
        socket.create_connection((parts.hostname, parts.port)).close()
    except ConnectionError:
        return False
    return True
