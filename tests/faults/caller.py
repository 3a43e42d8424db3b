"""A client of Streamable HTTP with nothing but the standard library: starts in 30 ms, and can be hurt.

`python caller.py URL TOKEN` is such a client as a process of its own: it obeys lines on stdin, and says on stdout, one JSON
object a line, what becomes of its requests. Signals make it misbehave: SIGUSR1 hang, SIGUSR2 flood, SIGHUP garbage,
SIGQUIT exit.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

_PROTOCOL: Final = "2025-11-25"
_FLOOD: Final = 200
"""Requests at once, on as many connections."""


class Refused(Exception):
    """The server answered with an HTTP error."""


class Caller:
    """One session."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.address = (parts.hostname, parts.port)
        self._timeout_s = timeout_s
        self._ids = itertools.count(1)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }

    def initialize(self) -> None:
        """Opens the session.

        Raises:
            OSError, http.client.HTTPException, Refused
        """
        hello = {
            "protocolVersion": _PROTOCOL,
            "capabilities": {},
            "clientInfo": {"name": "caller", "version": "1"},
        }
        for _ in self._post(self._request("initialize", hello)):
            pass
        self._headers["MCP-Protocol-Version"] = _PROTOCOL
        for _ in self._post({"jsonrpc": "2.0", "method": "notifications/initialized"}):
            pass

    def leave(self) -> None:
        """Ends the session, if the gateway is there."""
        connection = http.client.HTTPConnection(*self.address, timeout=self._timeout_s)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("DELETE", "/mcp", headers=self._headers)
            connection.getresponse().read()
        connection.close()

    def ask(
        self,
        method: str,
        params: dict[str, Any],
        progressed: Callable[[], None] = lambda: None,
    ) -> tuple[str, str]:
        """One request: `("answer", text)`, `("error", message)`, `("cut", why)`; more than one answer is an error, too."""
        request = self._request(method, params)
        answers = []
        try:
            for message in self._post(request):
                if message.get("id") == request["id"] and "method" not in message:
                    answers.append(message)
                else:
                    progressed()
        except Refused as error:
            return "error", str(error)
        except (OSError, http.client.HTTPException) as error:
            if not answers:
                return "cut", repr(error)
        if not answers:
            return "cut", "the answer ended without an answer"
        if len(answers) > 1:
            return "twice", json.dumps(answers)
        return outcome_of(answers[0])

    def call(
        self, tool: str, progressed: Callable[[], None] = lambda: None, **arguments: Any
    ) -> tuple[str, str]:
        """A tool's outcome; its progress is asked for."""
        params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": tool}}
        return self.ask("tools/call", params, progressed)

    def _request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    def _post(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The messages of the answer, as they come. A connection for each request: they may run side by side."""
        connection = http.client.HTTPConnection(*self.address, timeout=self._timeout_s)
        try:
            connection.request("POST", "/mcp", json.dumps(body).encode(), self._headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise Refused(f"{response.status} {response.read()!r}")
            if session := response.getheader("Mcp-Session-Id"):
                self._headers["Mcp-Session-Id"] = session
            if (response.getheader("Content-Type") or "").startswith("text/event-stream"):
                for line in iter(response.readline, b""):
                    if line.startswith(b"data:") and line[5:].strip():
                        yield json.loads(line[5:])
            elif text := response.read():
                yield json.loads(text)
        finally:
            connection.close()


def outcome_of(answer: dict[str, Any]) -> tuple[str, str]:
    """The outcome that an answer is, and its text."""
    if "error" in answer:
        return "error", answer["error"]["message"]
    result = answer["result"]
    if "tools" in result:
        return "answer", " ".join(sorted(tool["name"] for tool in result["tools"]))
    text = result["content"][0]["text"] if "content" in result else ""
    return ("error" if result.get("isError") else "answer"), text


def _tell(event: str, **fields: Any) -> None:
    line = json.dumps({"event": event, "at": time.monotonic(), **fields}) + "\n"
    sys.stdout.write(line)
    sys.stdout.flush()


def _flood(caller: Caller) -> None:
    """Many calls at once; says how many were answered, in which way."""
    outcomes: list[str] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(caller.call("one_echo", text="f")[0]))
        for _ in range(_FLOOD)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _tell("flooded", asked=_FLOOD, told=len(outcomes), twice=outcomes.count("twice"))


def send_garbage(address: tuple[str, int]) -> None:
    """What no client should send: noise, half a request, JSON of the wrong kind."""
    for chunk in (
        os.urandom(4096),
        b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n{",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00" + bytes(512),
    ):
        with socket.create_connection(address, 5) as connection:
            connection.sendall(chunk)
            connection.settimeout(0.1)
            with contextlib.suppress(OSError):
                connection.recv(4096)


def hold_half_open(address: tuple[str, int], count: int) -> list[socket.socket]:
    """Connections on which half a request was sent; the caller closes them."""
    held = []
    for _ in range(count):
        connection = socket.create_connection(address, 5)
        connection.sendall(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nConte")
        held.append(connection)
    return held


def main() -> None:
    """The client as a process."""
    caller = Caller(sys.argv[1], sys.argv[2])
    background = lambda act: threading.Thread(target=act, daemon=True).start()  # noqa: E731 - three times, in one line
    signal.signal(signal.SIGUSR1, lambda *_: os.kill(os.getpid(), signal.SIGSTOP))
    signal.signal(signal.SIGUSR2, lambda *_: background(lambda: _flood(caller)))
    signal.signal(signal.SIGHUP, lambda *_: background(lambda: send_garbage(caller.address)))
    signal.signal(signal.SIGQUIT, lambda *_: os._exit(0))
    caller.initialize()
    _tell("ready")
    for line in sys.stdin:
        method, params = json.loads(line)
        _tell("asked")
        outcome, text = caller.ask(method, params, lambda: _tell("progress"))
        _tell("outcome", outcome=outcome, text=text)


if __name__ == "__main__":
    main()
