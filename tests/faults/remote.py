"""A remote MCP server over Streamable HTTP as a process, with nothing but the standard library; it can be hurt.

`python remote.py PORT INIT_MS LIST_MS`. Tools: echo {text}, sleep {ms}, stream {ms}. Signals make it misbehave from then
on: SIGUSR1 hang, SIGUSR2 flood, SIGHUP garbage, SIGQUIT exit.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_TOOLS: Final = [
    {"name": f"far_{name}", "inputSchema": {"type": "object"}}
    for name in ("echo", "sleep", "stream")
]
_STEP_S: Final = 0.02

sessions: set[str] = set()
manner = "well"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        """There is no standalone stream."""
        self._plain(405)

    def do_DELETE(self) -> None:
        """Ends a session."""
        sessions.discard(self.headers.get("Mcp-Session-Id", ""))
        self._plain(200)

    def do_POST(self) -> None:
        """Takes a message."""
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._misbehave()
        if message["method"] == "server/discover":
            self._answer(message, error={"code": -32601, "message": "no such method"})
            return
        session = self.headers.get("Mcp-Session-Id", "")
        if message["method"] != "initialize" and session not in sessions:
            self._plain(404)
        elif "id" not in message:
            self._plain(202)
        else:
            self._serve(message)

    def _serve(self, message: dict[str, Any]) -> None:
        match message["method"]:
            case "initialize":
                self._nap(INIT_MS)
                session = uuid.uuid4().hex
                sessions.add(session)
                result = {
                    "protocolVersion": message["params"]["protocolVersion"],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "far", "version": "1"},
                }
                self._answer(message, session=session, result=result)
            case "tools/list":
                self._nap(LIST_MS)
                self._answer(message, result={"tools": _TOOLS})
            case "tools/call":
                self._call(message)
            case "ping":
                self._answer(message, result={})
            case _:
                self._answer(message, error={"code": -32601, "message": "no such method"})

    def _call(self, message: dict[str, Any]) -> None:
        params = message["params"]
        arguments = params.get("arguments", {})
        match params["name"]:
            case "far_echo":
                self._answer(message, result=_text(arguments["text"]))
            case "far_sleep":
                self._nap(arguments["ms"])
                self._answer(message, result=_text("slept"))
            case _:
                self._stream(message, arguments["ms"], params.get("_meta", {}).get("progressToken"))

    def _stream(self, message: dict[str, Any], ms: int, token: object) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for step in range(int(ms / 1000 / _STEP_S)):
            progress = {"progressToken": token, "progress": step}
            self._event({"jsonrpc": "2.0", "method": "notifications/progress", "params": progress})
            time.sleep(_STEP_S)
            self._misbehave()
        self._event({"jsonrpc": "2.0", "id": message["id"], "result": _text("streamed")})
        self.close_connection = True

    def _event(self, message: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(message)}\n\n".encode())
        self.wfile.flush()

    def _nap(self, ms: float) -> None:
        until = time.monotonic() + ms / 1000
        while time.monotonic() < until:
            time.sleep(_STEP_S)
            self._misbehave()

    def _misbehave(self) -> None:
        """As a signal has asked for, for ever."""
        while manner == "hang":
            time.sleep(1)
        while manner == "garbage":
            self.wfile.write(b"\x80\xff}{[ this is no HTTP\r\n")
            time.sleep(_STEP_S)
        if manner == "flood":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while manner == "flood":
            noise = {"level": "info", "data": "flood" * 1000}
            self._event({"jsonrpc": "2.0", "method": "notifications/message", "params": noise})

    def _plain(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, message: dict[str, Any], *, session: str = "", **outcome: object) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), **outcome}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if session:
            self.send_header("Mcp-Session-Id", session)
        self.end_headers()
        self.wfile.write(body)


def _text(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


def become(name: str) -> None:
    """Misbehaves from now on."""
    global manner  # noqa: PLW0603 - what a signal tells concerns the whole process
    manner = name


if __name__ == "__main__":
    PORT, INIT_MS, LIST_MS = map(int, sys.argv[1:])
    signal.signal(signal.SIGUSR1, lambda *_: become("hang"))
    signal.signal(signal.SIGUSR2, lambda *_: become("flood"))
    signal.signal(signal.SIGHUP, lambda *_: become("garbage"))
    signal.signal(signal.SIGQUIT, lambda *_: os._exit(0))
    ThreadingHTTPServer.allow_reuse_address = True
    # A gateway that drops a request half way is no news.
    ThreadingHTTPServer.handle_error = lambda *_: None  # type: ignore[method-assign]
    ThreadingHTTPServer.daemon_threads = True
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()
