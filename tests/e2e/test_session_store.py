"""Clients of Streamable HTTP over a restart of the gateway."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Containers
from tests.e2e.gateways import await_true, call_over, request
from tests.e2e.places import Place

pytestmark = pytest.mark.slow

Entry = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_session_goes_on_after_a_restart(
    place: Place, echo: Entry, containers: Containers, end: signal.Signals
) -> None:
    """However the gateway ended; the client notices nothing but a server that starts."""
    place.write({"one": echo()})
    with place.network("--session-store") as first, first.session() as client:
        assert call_over(client, "echo", text="a") == "a"
        await_true(lambda: list(place.home.sessions.glob("*.json")), "the session is kept", 5)
        first.signal(end)
        first.wait()
        headers = client.headers
    with place.network("--session-store") as second:
        with httpx.Client(base_url=second.url, headers=headers, timeout=30) as client:
            assert call_over(client, "echo", text="b") == "b"
            assert client.delete("/mcp").status_code == httpx.codes.NO_CONTENT
            answer = client.post("/mcp", json=request(3, "tools/list", {}))
            assert answer.status_code == httpx.codes.NOT_FOUND
        await_true(lambda: not list(place.home.sessions.glob("*")), "nothing is kept of it", 5)
    await_true(lambda: not containers(place), "no container is left", 15)


def test_without_the_store_a_client_begins_anew(place: Place, echo: Entry) -> None:
    """It gets 404, which is how the protocol tells it to."""
    place.write({"one": echo()})
    with place.network() as first, first.session() as client:
        headers = client.headers
    with (
        place.network() as second,
        httpx.Client(base_url=second.url, headers=headers, timeout=30) as client,
    ):
        answer = client.post("/mcp", json=request(1, "tools/list", {}))
        assert answer.status_code == httpx.codes.NOT_FOUND
    assert not place.home.sessions.exists()


def test_a_newer_store_is_refused_with_a_sentence(place: Place, echo: Entry) -> None:
    """It may hold what this version would destroy."""
    place.write({"one": echo()})
    place.home.sessions.mkdir(parents=True)
    place.write_text("sessions/a.json", '{"format":999,"session":{}}')
    done = place.run("gateway", "run", "--transport", "streaming", "--port", "0", "--session-store")
    assert done.returncode != 0
    assert "newer mcpgw" in done.stderr
    assert "Traceback" not in done.stderr
