"""What clients give back to us: cursors, sealed states and tasks, ids of events. Ours are read as they were given; nothing else is."""

from __future__ import annotations

from typing import Final

import trio

from gateway.errors import ClientFault, InvalidParams, StateRefused
from gateway.mcp.cursors import decode_cursor, encode_cursor
from gateway.mcp.sealed import Seal, StateClaims, TaskClaims
from gateway.ports import Principal
from gateway.transports.resumption import Resumption
from tests.fakes.sessions import FakeSession

_SEAL: Final = Seal(b"key")
_STATE: Final = StateClaims("i", "c", "me", "tools/call", "d", 10.0)
_TASK: Final = TaskClaims("one", "t", "me", "o")
_STATE_TOKEN: Final = _SEAL.seal(_STATE)
_TASK_TOKEN: Final = _SEAL.seal_task(_TASK)
_FINGERPRINT: Final = "f1"


def check(data: bytes) -> None:
    """The first byte says as what it is given back."""
    text = data[1:].decode(errors="replace")
    match data[0] % 4 if data else 0:
        case 0:
            _check_cursor(text)
        case 1:
            _check_token(text)
        case 2:
            _check_token(_changed(_STATE_TOKEN, data[1:]))
            _check_token(_changed(_TASK_TOKEN, data[1:]))
        case _:
            trio.run(_check_event_id, text)


def _check_cursor(text: str) -> None:
    try:
        offset = decode_cursor(text, _FINGERPRINT)
    except InvalidParams:
        return
    assert offset >= 0
    assert encode_cursor(offset, _FINGERPRINT) == text


def _check_token(token: str) -> None:
    """One that is not ours to the letter opens nothing."""
    try:
        claims = _SEAL.open(token, principal="me", method="tools/call", digest="d", now=0.0)
    except StateRefused:
        assert token != _STATE_TOKEN
    else:
        assert (token, claims) == (_STATE_TOKEN, _STATE)
    try:
        task = _SEAL.open_task(token, principal="me")
    except StateRefused:
        assert token != _TASK_TOKEN
    else:
        assert (token, task) == (_TASK_TOKEN, _TASK)


def _changed(token: str, data: bytes) -> str:
    """The token with letters put in the places that the bytes say."""
    letters = list(token)
    for place, letter in zip(data[::2], data[1::2], strict=False):
        letters[place % len(letters)] = chr(letter)
    return "".join(letters)


async def _check_event_id(text: str) -> None:
    """Each stream is found by its own session alone."""
    streams = Resumption()
    mine, other = (FakeSession(name, Principal("me"), "streaming") for name in "ab")
    call, _ = streams.open_call(mine)
    standing = streams.open_standing(mine)
    theirs = streams.open_standing(other)
    try:
        feed, number = streams.find(mine, text)
    except ClientFault:
        assert not text.startswith((f"{call.name}-1", f"{standing.name}-1")) or len(text) > 4
        return
    assert feed in {call, standing, None}
    assert feed is not theirs
    name, _, shown = text.partition("-")
    assert number == int(shown)
    assert feed.name == name if feed is not None else name.startswith("s")
