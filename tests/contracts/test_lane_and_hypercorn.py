"""The fast lane and hypercorn give the same answers to whatever both may be asked, however it is cut into pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import NamedTuple

import h11
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.gateway.transports.serving import TOKEN, Site, serving

LAST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
"""After it the server ends the connection, so that everything can be read."""
AUTH = f"Authorization: Bearer {TOKEN}\r\n".encode()
INITIALIZE = (
    b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}'
)
MODERN = (
    b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"_meta":{'
    b'"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    b'"io.modelcontextprotocol/clientCapabilities":{}}}}'
)
BODIES = {
    "ping": b'{"jsonrpc":"2.0","id":1,"method":"ping"}',
    "echo": b'{"jsonrpc":"2.0","id":"x","method":"echo","params":{"a":[1,\r\n"\xc3\xbc"]}}',
    "long": b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":"%b"}}' % (b"x" * 70_000),
    "chatty": b'{"jsonrpc":"2.0","id":1,"method":"chatty"}',
    "unknown": b'{"jsonrpc":"2.0","id":1,"method":"nope"}',
    "note": b'{"jsonrpc":"2.0","method":"notifications/x"}',
    "answer": b'{"jsonrpc":"2.0","id":1,"result":{}}',
    "initialize": INITIALIZE,
    "modern": MODERN,
    "garbage": b"{",
    "batch": b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
    "nothing": b"",
}
VERSION = b"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: echo\r\n"


class Answer(NamedTuple):
    """One answer as a client sees it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def answers(data: bytes) -> list[Answer]:
    """All answers in what a server sent; one that broke off is an error."""
    found = []
    while data:
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="POST", target="/", headers=[("host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(data)
        event, body = client.next_event(), b""
        while isinstance(event, h11.InformationalResponse):
            event = client.next_event()
        assert isinstance(event, h11.Response), event
        while isinstance(piece := client.next_event(), h11.Data):
            body += bytes(piece.data)
        assert isinstance(piece, h11.EndOfMessage), piece
        headers = sorted((name, value) for name, value in event.headers if name != b"date")
        found.append(Answer(event.status_code, headers, body))
        data = client.trailing_data[0]
    return found


def post(
    body: bytes = BODIES["ping"],
    *,
    target: bytes = b"/mcp",
    headers: bytes = AUTH + b"Content-Type: application/json\r\nMcp-Session-Id: session-1\r\n",
    chunks: int = 0,
    method: bytes = b"POST",
    version: bytes = b"1.1",
) -> bytes:
    """A request; in chunks of that size, if any."""
    head = b"%b %b HTTP/%b\r\nHost: localhost\r\n%b" % (method, target, version, headers)
    if not chunks:
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    pieces = [body[start : start + chunks] for start in range(0, len(body), chunks)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + coded


class Fronts:
    """The two, over sessions that behave alike."""

    def __init__(self, lane: Site, plain: Site) -> None:
        self._lane, self._plain = lane, plain

    async def compare(self, pieces: Sequence[bytes]) -> list[Answer]:
        """Sends the same to both; the answers, which are the same."""
        lane, plain = [await _ask(site, pieces) for site in (self._lane, self._plain)]
        assert answers(lane) == answers(plain)
        return answers(lane)


async def _ask(site: Site, pieces: Sequence[bytes]) -> bytes:
    received = b""
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        with trio.fail_after(10):
            for piece in pieces:
                try:
                    await stream.send_all(piece)
                except trio.BrokenResourceError:
                    break
                await trio.sleep(0.001 * (len(pieces) > 1))
            while chunk := await stream.receive_some():
                received += chunk
    return received


@asynccontextmanager
async def opened_fronts() -> AsyncIterator[Fronts]:
    """Both, with a session opened."""
    origins = ("https://app.example",)
    lane = Site(allow_origins=origins)
    plain = Site(allow_origins=origins, fast_lane=False)
    async with serving(lane), serving(plain):
        both = Fronts(lane, plain)
        opened = await both.compare([post(INITIALIZE, headers=AUTH + JSON) + LAST])
        assert [one.status for one in opened] == [200, 200]
        yield both


@pytest.fixture
async def fronts() -> AsyncIterator[Fronts]:
    """Both, with a session opened."""
    async with opened_fronts() as both:
        yield both


JSON = b"Content-Type: application/json\r\n"
SESSION = b"Mcp-Session-Id: session-1\r\n"
FULL = AUTH + JSON + SESSION
WRONG_HOST = post(target=b"http://evil.example/mcp").replace(b"localhost", b"evil.example")
CORPUS = {
    **{f"body {name}": post(body) for name, body in BODIES.items()},
    **{f"chunked {name}": post(body, chunks=7) for name, body in BODIES.items() if name != "long"},
    "modern": post(MODERN, headers=AUTH + JSON + VERSION),
    "modern mismatch": post(MODERN, headers=AUTH + JSON + VERSION.replace(b"echo", b"ping")),
    "modern get": post(b"", method=b"GET", headers=AUTH + VERSION),
    "delete": post(b"", method=b"DELETE", headers=AUTH + b"Mcp-Session-Id: other\r\n"),
    "no token": post(headers=JSON + SESSION),
    "wrong token": post(headers=FULL.replace(TOKEN.encode(), b"wrong")),
    "two tokens": post(headers=FULL + AUTH),
    "no type": post(headers=AUTH + SESSION),
    "type with charset": post(headers=FULL.replace(b"json", b"json; charset=utf-8")),
    "no session": post(headers=AUTH + JSON),
    "other session": post(headers=FULL.replace(b"session-1", b"session-9")),
    "accept json": post(BODIES["chatty"], headers=FULL + b"Accept: application/json\r\n"),
    "accept events": post(headers=FULL + b"Accept: text/event-stream\r\n"),
    "accept nothing": post(headers=FULL + b"Accept: text/html\r\n"),
    "allowed origin": post(headers=FULL + b"Origin: https://app.example\r\n"),
    "allowed origin, refused": post(headers=JSON + b"Origin: https://app.example\r\n"),
    "allowed origin, stream": post(
        BODIES["chatty"], headers=FULL + b"Origin: https://app.example\r\n"
    ),
    "wrong origin": post(headers=FULL + b"Origin: https://evil.example\r\n"),
    "old revision": post(headers=FULL + b"MCP-Protocol-Version: 1999-01-01\r\n"),
    "with a slash": post(target=b"/mcp/"),
    "at the root": post(target=b"/"),
    "sse without session": post(target=b"/sse"),
    "sse with no such session": post(target=b"/messages?sessionId=x"),
    "elsewhere": post(target=b"/nowhere"),
    "escaped": post(target=b"/%6dcp"),
    "absolute": post(target=b"http://localhost/mcp"),
    "absolute, nowhere": post(target=b"http://localhost/nowhere"),
    "absolute, another host": post(target=b"http://127.0.0.1/mcp"),
    "absolute, http/1.0": post(target=b"http://localhost/mcp", version=b"1.0"),
    "absolute, wrong host": WRONG_HOST,
    "absolute, wrong host, http/1.0": post(
        target=b"http://evil.example/mcp", version=b"1.0"
    ).replace(b"Host: localhost\r\n", b""),
    "absolute, secure": post(target=b"https://localhost/mcp"),
    "put": post(method=b"PUT"),
    "lower case method": post(method=b"post"),
    "close": post(headers=FULL + b"Connection: close\r\n"),
    "Close": post(headers=FULL + b"Connection: Close\r\n"),
    "keep-alive": post(headers=FULL + b"Connection: Keep-Alive\r\n"),
    "hop by hop": post(headers=FULL + b"Connection: X-Hop\r\nX-Hop: y\r\n"),
    "upgrade": post(headers=FULL + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    "http/1.0": post(version=b"1.0"),
    "http/1.0 keep-alive": post(version=b"1.0", headers=FULL + b"Connection: keep-alive\r\n"),
    "expect": post(headers=FULL + b"Expect: 100-continue\r\n"),
    "expect something": post(headers=FULL + b"Expect: wonders\r\n"),
    "two hosts": post(headers=FULL + b"Host: localhost\r\n"),
    "two lengths": post(headers=FULL + b"Content-Length: 40\r\n"),
    "length and chunks": post(headers=FULL + b"Transfer-Encoding: chunked\r\n"),
    "folded": post(headers=FULL + b"X: a\r\n b\r\n"),
    "bare line feed": post(headers=FULL + b"X: a\n"),
    "bad chunk": post(chunks=7).replace(b"7\r\n", b"x\r\n", 1),
    "bad trailer": post(chunks=7).replace(b"0\r\n\r\n", b"0\r\nX\r\n\r\n"),
    "trailer": post(chunks=7).replace(b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n"),
    "extension": post(chunks=40).replace(b"28\r\n", b"28;a=b\r\n"),
    "too long": post(b"").replace(b"Content-Length: 0", b"Content-Length: 999999999999"),
    "long head": post(headers=FULL + b"X: %b\r\n" % (b"x" * 20_000)),
    "many headers": post(headers=FULL + b"X: y\r\n" * 200),
    "bytes in a value": post(headers=FULL + b"X: \xe9\xff\r\n"),
}


@pytest.mark.parametrize("name", CORPUS)
async def test_the_kept_corpus(fronts: Fronts, name: str) -> None:
    """Whole, and in four pieces; before it and after it an ordinary request."""
    raw = post(b'{"jsonrpc":"2.0","id":1,"method":"echo"}') + CORPUS[name] + post() + LAST
    whole = await fronts.compare([raw])
    cut = max(1, len(raw) // 4)
    pieces = [raw[start : start + cut] for start in range(0, len(raw), cut)]
    again = await fronts.compare(pieces)
    assert [one.status for one in again] == [one.status for one in whole]


async def test_a_target_in_absolute_form(fronts: Fronts) -> None:
    """It is served like any other; its host has to be one of ours, and the one that the header names."""
    asked = {
        200: post(target=b"http://localhost/mcp"),
        403: WRONG_HOST,
        400: post(target=b"http://evil.example/mcp"),
        421: post(target=b"https://localhost/mcp"),
    }
    for status, raw in asked.items():
        told = await fronts.compare([raw + LAST])
        assert told[0].status == status


REQUESTS = st.builds(
    post,
    st.sampled_from([body for body in BODIES.values() if len(body) < 1000]),
    target=st.sampled_from(
        [
            b"/mcp",
            b"/mcp/",
            b"/",
            b"/sse",
            b"/mcp?a=b",
            b"/nowhere",
            b"/mcp#",
            b"http://localhost/mcp",
        ]
    ),
    headers=st.lists(
        st.sampled_from(
            [
                *(AUTH, JSON, SESSION, VERSION, FULL, FULL, FULL),
                b"Accept: application/json\r\n",
                b"Accept: text/event-stream\r\n",
                b"Origin: https://app.example\r\n",
                b"Origin: null\r\n",
                b"Connection: close\r\n",
                b"Connection: keep-alive, close\r\n",
                b"Content-Length: 3\r\n",
                b"X:\t \r\n",
                b"X: \x01\r\n",
                b"Expect: 100-continue\r\n",
            ]
        ),
        max_size=4,
        unique=True,
    ).map(b"".join),
    chunks=st.sampled_from([0, 0, 1, 5, 4096]),
    method=st.sampled_from([b"POST"] * 6 + [b"DELETE", b"PUT"]),
    version=st.sampled_from([b"1.1"] * 6 + [b"1.0", b"1.2"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=4), st.lists(st.integers(0, 2000), max_size=4))
async def test_whatever_they_may_be_asked(requests: list[bytes], cuts: list[int]) -> None:
    """Several requests at once, cut anywhere."""
    raw = b"".join(requests) + LAST
    edges = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    async with opened_fronts() as fronts:
        await fronts.compare([raw[start:end] for start, end in pairwise(edges)])
