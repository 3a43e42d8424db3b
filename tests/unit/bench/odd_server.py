"""A server for HTTP clients that answers as slowly and as oddly as is allowed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from bench.load.mcp import TEXT

TOKEN = "token"


class _Handler(BaseHTTPRequestHandler):
    """`/json` and `/events` are Streamable HTTP with either kind of answer; `/sse` is the older transport."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Opens the event stream, and keeps it until the server ends."""
        self._head(200, ("Transfer-Encoding", "chunked"))
        self.server.streams.append(self)
        self._chunk(b"event: endpoint\r\ndata: /sse?sessionId=1\r\n\r\n")
        self.server.ended.wait()
        self.close_connection = True

    def do_POST(self) -> None:
        """Answers one message in the way of its path."""
        request = msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, b"no")
        elif "id" not in request:
            self._answer(202, b"")
        else:
            message = msgspec.json.encode({"id": request["id"], "result": _result(request)})
            self._reply(message)

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _reply(self, message: bytes) -> None:
        if self.path == "/json":
            self._answer(200, message)
        elif self.path == "/events":
            self._head(200, ("Transfer-Encoding", "chunked"))
            self._chunk(b": a comment\n\nevent: message\n")
            self._chunk(b"data: " + message + b"\n\n")
            self.wfile.write(b"0\r\n\r\n")
        else:
            with self.server.writing:
                stream = self.server.streams[0]
                stream._chunk(b"data: " + message[:9])
                stream._chunk(message[9:] + b"\r\n\r\n")
            self._answer(202, b"Accepted")

    def _answer(self, status: int, body: bytes) -> None:
        self._head(status, ("Content-Length", str(len(body))))
        self.wfile.write(body)

    def _head(self, status: int, *fields: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*fields, ("Mcp-Session-Id", "1")):
            self.send_header(name, value)
        self.end_headers()

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
        self.wfile.flush()


def _result(request: dict[str, object]) -> object:
    match request["method"]:
        case "tools/list":
            return {"tools": [{"name": "echo"}]}
        case "tools/call":
            return {"content": [{"type": "text", "text": TEXT.decode()}]}
        case _:
            return {}


class _Server(ThreadingHTTPServer):
    """What its connections share."""

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        super().__init__(address, handler)
        self.streams: list[_Handler] = []
        self.writing = threading.Lock()
        self.ended = threading.Event()


@contextmanager
def serving() -> Iterator[int]:
    """The port that it answers on."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
