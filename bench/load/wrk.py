"""wrk, for calls over Streamable HTTP: Debian's package, one thread, keep-alive connections in a closed loop.

Its script only numbers the requests. Answers are checked by their status, and by their mean length against one that was
read: looking into each of them would cost more than the call.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from bench.errors import Broken, NotHere
from bench.load.client import ANSWER_S
from bench.load.compiled import Numbers
from bench.load.http import Target
from bench.load.stint import Load, Request, Stint

_SCRIPT: Final = """
local id = %(first)d
local head = %(head)s
local before, after = %(before)s, %(after)s
local fixed = #before + #after
function request()
    id = id + 1
    local number = string.format("%%d", id)
    return head .. (fixed + #number) .. "\\r\\n\\r\\n" .. before .. number .. after
end
function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("@ %%d %%d %%d %%d %%f %%f %%f %%f %%d\\n", summary.requests, summary.duration, summary.bytes,
        e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(90),
        latency:percentile(99), latency.max, id))
end
"""
_PATIENCE: Final = ("--timeout", f"{ANSWER_S:.0f}s")
"""Its own 2 s would take a slow answer for none."""
_REPORT: Final = re.compile(r"^@ (.+)$", re.MULTILINE)
_LENGTH_SLACK: Final = 0.1
"""Ids have more or fewer digits; an error's answer has another length altogether."""


class WrkCaller:
    """Calls of one session over any number of connections.

    Args:
        target: where the server is.
        head: of each request, without its length and its end.
        request: what is called.
        answer_bytes: the length of a response that was read, its head included.
    """

    def __init__(self, target: Target, head: bytes, request: Request, answer_bytes: int) -> None:
        self._target = target
        self._head = head
        self._request = request
        self.answer_bytes = answer_bytes
        self._numbers = Numbers()

    def elsewhere(self, target: Target) -> WrkCaller:
        """The same requests to another server, which answers as much."""
        return WrkCaller(target, self._head, self._request, self.answer_bytes)

    def call(self, load: Load) -> Stint:
        """See `Caller`; seconds are rounded up, and there is no open loop."""
        with tempfile.NamedTemporaryFile("wb", suffix=".lua") as script:
            script.write(self._script())
            script.flush()
            figures, cpu_s = _run(self._target, Path(script.name), load)
        calls, micros, received, errors, p50, p90, p99, most, last = figures
        if errors:
            raise Broken(f"wrk met {errors:.0f} errors in {calls:.0f} calls")
        if abs(received / calls / self.answer_bytes - 1) > _LENGTH_SLACK:
            raise Broken(f"responses have {received / calls:.0f} bytes, not {self.answer_bytes}")
        self._numbers.take(int(last) - self._numbers.next + 1)
        return Stint(
            calls=int(calls),
            seconds=micros / 1e6,
            first_us=p50,
            p50_us=p50,
            p90_us=p90,
            p99_us=p99,
            max_us=most,
            cpu_s=cpu_s,
        )

    def _script(self) -> bytes:
        text = _SCRIPT % {
            "first": self._numbers.next,
            "head": quoted(self._head + b"\r\nContent-Length: "),
            "before": quoted(self._request.before),
            "after": quoted(self._request.after),
        }
        return text.encode()


def quoted(content: bytes) -> str:
    """A string of Lua with these bytes."""
    return '"' + "".join(f"\\{byte:03d}" for byte in content) + '"'


def parse_report(said: str) -> tuple[float, ...]:
    """The numbers that the script reports.

    Raises:
        Broken: there are none.
    """
    found = _REPORT.search(said)
    if found is None:
        raise Broken(f"wrk said {said.strip()[-300:]!r}")
    return tuple(map(float, found[1].split()))


def _run(target: Target, script: Path, load: Load) -> tuple[tuple[float, ...], float]:
    """What the script reports, and the CPU seconds of wrk."""
    if shutil.which("wrk") is None:
        raise NotHere("wrk is missing; install it with: sudo apt-get install wrk")
    seconds = max(1, round(load.seconds))
    command = ["wrk", "-t1", f"-c{load.depth}", f"-d{seconds}s", "-s", str(script), *_PATIENCE]
    url = f"http://127.0.0.1:{target.port}{target.path}"
    process = subprocess.Popen([*command, url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if process.stdout is None:
        raise ValueError("wrk was started without a pipe")
    try:
        said = process.stdout.read().decode(errors="replace")
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        process.stdout.close()
    return parse_report(said), used.ru_utime + used.ru_stime
