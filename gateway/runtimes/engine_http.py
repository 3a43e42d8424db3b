"""As much HTTP as an engine's attach and wait need, on a stream of ours. Must not know containers.

docker-py's own sockets are no use under trio: they cannot do TLS or ssh there, and may have buffered bytes already.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
import trio

from gateway import limits
from gateway.errors import BackendError, EngineUnreachable

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_HEAD_END: Final = b"\r\n\r\n"
_MAX_ANSWER_BYTES: Final = 64 * 1024
"""Heads and JSON answers of the engine are some hundred bytes."""
_SWITCHING: Final = 101
_OK: Final = 200
_ERRORS: Final = 400


class Refused(BackendError):
    """The engine answered with an error. `status` is HTTP's, `reason` the engine's own words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the engine refuses ({status}): {reason}")
        self.status = status
        self.reason = reason


class _Complaint(msgspec.Struct):
    message: str = ""


async def upgrade(stream: trio.abc.Stream, target: str) -> bytes:
    """Turns a fresh connection into a raw byte stream, by a POST that asks for an upgrade.

    Returns:
        The first bytes of the raw stream, if some came along with the answer.

    Raises:
        Refused: the engine says no, and why.
        EngineUnreachable: it hung up.
    """
    await _send(
        stream,
        f"POST {target} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        "Content-Length: 0\r\n\r\n",
    )
    status, head, rest = await _read_head(stream)
    # Engines before 1.24 of the API, and some proxies, answer 200 and then speak raw all the same.
    if status in {_SWITCHING, _OK}:
        return rest
    raise Refused(status, await _read_complaint(stream, head, rest))


class LongPost:
    """One POST without a body on a fresh connection whose answer takes its time: who waits for it may break off and go on.

    HTTP/1.0, so that the body is what comes until the engine closes: no chunks to take apart. Closes: `aclose`.
    """

    def __init__(self, stream: trio.abc.Stream, target: str) -> None:
        self._stream = stream
        self._request = f"POST {target} HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"
        self._received = b""

    async def answer(self) -> bytes:
        """The answer's body.

        Cancellation: nothing is lost; the engine goes on with what it was asked.

        Raises:
            Refused: the engine says no, and why.
            EngineUnreachable: it hung up, or the question was closed.
        """
        try:
            return await self._answer()
        except trio.ClosedResourceError as error:
            raise EngineUnreachable("the question to the container engine was given up") from error

    async def _answer(self) -> bytes:
        if self._request:
            await _send(self._stream, self._request)
            self._request = ""
        while len(self._received) < _MAX_ANSWER_BYTES:
            chunk = await _receive(self._stream)
            if not chunk:
                break
            self._received += chunk
            if _HEAD_END in self._received:
                status, head, rest = _parted(self._received)
                if status >= _ERRORS:
                    raise Refused(status, await _read_complaint(self._stream, head, rest))
        return _parted(self._received)[2]

    async def aclose(self) -> None:
        """Closes the connection; who waits for the answer is told."""
        await trio.aclose_forcefully(self._stream)


async def get(stream: trio.abc.Stream, target: str) -> bytes:
    """One GET on a fresh connection: the answer's body. HTTP/1.0, as above.

    Raises:
        Refused: the engine says no, and why.
        EngineUnreachable: it hung up.
    """
    await _send(stream, f"GET {target} HTTP/1.0\r\nHost: docker\r\n\r\n")
    status, head, rest = await _read_head(stream)
    if status >= _ERRORS:
        raise Refused(status, await _read_complaint(stream, head, rest))
    return await _read_rest(stream, rest, _MAX_ANSWER_BYTES)


async def _send(stream: trio.abc.Stream, request: str) -> None:
    try:
        await stream.send_all(request.encode("ascii"))
    except trio.BrokenResourceError as error:
        raise EngineUnreachable("the container engine hung up: is it being restarted?") from error


async def _read_head(stream: trio.abc.Stream) -> tuple[int, bytes, bytes]:
    """Status, head, and what came after the head."""
    received = b""
    while _HEAD_END not in received and len(received) < _MAX_ANSWER_BYTES:
        chunk = await _receive(stream)
        if not chunk:
            break
        received += chunk
    return _parted(received)


def _parted(received: bytes) -> tuple[int, bytes, bytes]:
    head, separator, rest = received.partition(_HEAD_END)
    status = _STATUS_LINE.match(head)
    if not separator or status is None:
        raise EngineUnreachable("what answers at the engine's address is no container engine")
    return int(status[1]), head, rest


async def _read_complaint(stream: trio.abc.Stream, head: bytes, rest: bytes) -> str:
    """The engine's reason in an error answer; never waits longer than for the length it announced."""
    length = _MAX_ANSWER_BYTES
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length" and value.strip().isdigit():
            length = min(length, int(value))
    body = await _read_rest(stream, rest, length)
    try:
        return msgspec.json.decode(body, type=_Complaint).message
    except msgspec.DecodeError:
        return body.decode("utf-8", errors="replace").strip()


async def _read_rest(stream: trio.abc.Stream, received: bytes, length: int) -> bytes:
    while len(received) < length:
        chunk = await _receive(stream)
        if not chunk:
            break
        received += chunk
    return received


async def _receive(stream: trio.abc.Stream) -> bytes:
    try:
        return bytes(await stream.receive_some(limits.READ_CHUNK_BYTES))
    except trio.BrokenResourceError as error:
        raise EngineUnreachable("the container engine hung up: is it being restarted?") from error
