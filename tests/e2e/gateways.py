"""A running gateway as a test holds it: its log, its signals, and its lines or its URLs.

Must not know how it was started, nor what a test asks of it.
"""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx

ANSWER_S: Final = 30.0
"""Until an answer: a cold container on two busy cores."""
END_S: Final = 25.0
"""Until an ended gateway has exited: more than the drain and the clean-up are allowed."""
POLL_S: Final = 0.02
_BACKLOG: Final = 10_000
_PROTOCOL: Final = "2025-11-25"


class Gateway:
    """A running gateway."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        """What it has said on stderr."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def wait(self, deadline_s: float = END_S) -> int:
        """The exit status."""
        return self.process.wait(deadline_s)

    def await_log(self, text: str, deadline_s: float = ANSWER_S) -> None:
        """Returns once stderr holds the text."""
        await_true(lambda: text in self.log, f"{text!r} in the log", deadline_s)


class Pipe(Gateway):
    """A gateway on stdio, spoken to by lines: for what no published client would send."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        super().__init__(process, log)
        self._lines: queue.Queue[bytes] = queue.Queue(_BACKLOG)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._last_id = 0
        self.notifications: list[dict[str, Any]] = []
        """Those that came while an answer was awaited."""

    def initialize(self, **capabilities: object) -> dict[str, Any]:
        """Does the handshake; gives the answer's result."""
        answer = self.request("initialize", hello(capabilities))
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        result: dict[str, Any] = answer["result"]
        return result

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        deadline_s: float = ANSWER_S,
    ) -> dict[str, Any]:
        """The answer to a request, result or error."""
        return self.answer_to(self.ask(method, params), deadline_s)

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        """Sends a request; gives its id."""
        self._last_id += 1
        self.send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params or {}})
        return self._last_id

    def call(self, tool: str, deadline_s: float = ANSWER_S, **arguments: object) -> str:
        """The text of a tool's result, or the message of its error."""
        params = {"name": tool, "arguments": arguments}
        return text_of(self.request("tools/call", params, deadline_s=deadline_s))

    def send(self, message: object) -> None:
        """Sends one message."""
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def send_bytes(self, chunk: bytes) -> None:
        """Sends bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(chunk)
        self.process.stdin.flush()

    def hang_up(self) -> None:
        """Closes the gateway's stdin."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def answer_to(self, identity: object, deadline_s: float = ANSWER_S) -> dict[str, Any]:
        """The message with that id; notifications before it are kept."""
        deadline = time.monotonic() + deadline_s
        while True:
            message = self.receive(deadline - time.monotonic())
            if "method" not in message and message.get("id") == identity:
                return message
            assert "method" in message, f"an answer to nobody: {message}"
            self.notifications.append(message)

    def answers(self, count: int, deadline_s: float = ANSWER_S) -> list[dict[str, Any]]:
        """The next answers, in whichever order they come; notifications before them are kept."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            message = self.receive(deadline_s)
            (self.notifications if "method" in message else found).append(message)
        return found

    def receive(self, deadline_s: float = ANSWER_S) -> dict[str, Any]:
        """The next message. A line on stdout that is no JSON-RPC message fails the test."""
        line = self.receive_bytes(deadline_s)
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0", line
        return dict(message)

    def receive_bytes(self, deadline_s: float = ANSWER_S) -> bytes:
        """The next line, as it came."""
        try:
            line = self._lines.get(timeout=max(deadline_s, POLL_S))
        except queue.Empty:
            raise AssertionError(f"nothing came within {deadline_s:.0f} s:\n{self.log}") from None
        assert line, f"the gateway has closed its output:\n{self.log}"
        return line

    def owes_nothing(self) -> bool:
        """Whether no answer is left over: each request has had its one."""
        while self.has_more():
            self.notifications.append(self.receive())
        return all("method" in message for message in self.notifications)

    def has_more(self) -> bool:
        """Whether a message has come that nobody has taken."""
        return not self._lines.empty()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")


class Network(Gateway):
    """A gateway on a port of this machine."""

    def __init__(
        self, process: subprocess.Popen[bytes], log: Path, *, url: str, token: str
    ) -> None:
        super().__init__(process, log)
        self.url = url
        self.token = token

    def seen_at(self, url: str) -> Network:
        """The same gateway, reached by another address."""
        return Network(self.process, self._log, url=url, token=self.token)

    @contextmanager
    def web(self) -> Iterator[httpx.Client]:
        """A plain HTTP client with the token."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
        with httpx.Client(base_url=self.url, headers=headers, timeout=ANSWER_S) as client:
            yield client

    @contextmanager
    def session(self) -> Iterator[httpx.Client]:
        """A Streamable HTTP session: the client carries its id. Not ended at the end: clients vanish."""
        with self.web() as client:
            answer = client.post("/mcp", json=request(0, "initialize", hello()))
            assert answer.status_code == httpx.codes.OK, answer.text
            client.headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
            client.headers["MCP-Protocol-Version"] = _PROTOCOL
            client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
            yield client


def hello(capabilities: Mapping[str, object] | None = None) -> dict[str, Any]:
    """The params of `initialize`."""
    return {
        "protocolVersion": _PROTOCOL,
        "capabilities": capabilities or {},
        "clientInfo": {"name": "e2e", "version": "1"},
    }


def request(identity: object, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """A request as JSON."""
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def call_over(client: httpx.Client, tool: str, **arguments: object) -> str:
    """Calls a tool in a session of Streamable HTTP; the text, or the message of its error."""
    body = request(1, "tools/call", {"name": tool, "arguments": arguments})
    return text_of(message_in(client.post("/mcp", json=body)))


def message_in(response: httpx.Response) -> dict[str, Any]:
    """The answer in a response, which is JSON or an event stream that ends with it."""
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        frames = [line[5:] for line in response.text.splitlines() if line.startswith("data:")]
        return dict(json.loads(next(frame for frame in reversed(frames) if '"id"' in frame)))
    return dict(response.json())


def text_of(answer: Mapping[str, Any]) -> str:
    """The first text of a tool's result, or the message of the error."""
    if "error" in answer:
        return str(answer["error"]["message"])
    return str(answer["result"]["content"][0]["text"])


def await_true(condition: Any, what: str, deadline_s: float) -> None:
    """Returns once the condition holds."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {deadline_s:g} s"
        time.sleep(POLL_S)
