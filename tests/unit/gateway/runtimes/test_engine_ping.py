"""gateway/runtimes/engine_ping.py: an engine that answers, one that refuses, and none."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gateway.errors import EngineUnreachable
from gateway.runtimes.engine_endpoint import Endpoint, locate_engine
from gateway.runtimes.engine_http import Refused
from gateway.runtimes.engine_ping import ping


@pytest.mark.slow
async def test_an_engine_answers(engine: Endpoint) -> None:
    """Within a moment, and without a thread."""
    with trio.fail_after(5):
        await ping(engine)


async def test_nobody_is_no_engine(tmp_path: Path) -> None:
    """The reason names its address."""
    with pytest.raises(EngineUnreachable, match=r"none\.sock"):
        await ping(locate_engine({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy", Refused),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", None),
        (b"\x16\x03\x01 rubbish\r\n\r\n", EngineUnreachable),
        (b"", EngineUnreachable),
    ],
    ids=["refuses", "answers", "rubbish", "hangs up"],
)
async def test_what_answers_is_looked_at(
    nursery: trio.Nursery, tmp_path: Path, answer: bytes, error: type[Exception] | None
) -> None:
    """Something else may sit on the socket."""
    path = tmp_path / "s"
    listener = trio.socket.socket(trio.socket.AF_UNIX)
    await listener.bind(str(path))
    listener.listen()

    async def serve(stream: trio.SocketStream) -> None:
        assert (await stream.receive_some()).startswith(b"GET /_ping HTTP/1.0\r\n")
        await stream.send_all(answer)
        await stream.aclose()

    nursery.start_soon(trio.serve_listeners, serve, [trio.SocketListener(listener)])
    endpoint = locate_engine({"DOCKER_HOST": f"unix://{path}"})
    with trio.fail_after(5):
        if error is None:
            await ping(endpoint)
        else:
            with pytest.raises(error):
                await ping(endpoint)
    nursery.cancel_scope.cancel()
