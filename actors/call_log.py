"""One line for each call that has ended, written in batches: no call waits for a terminal, and no write is made for each.

Must not know sessions or servers; it gets what the line says.
"""

from __future__ import annotations

import time

import trio

from actors.call import Answer, Call
from gateway import limits
from gateway.jsonrpc.messages import Failure
from gateway.telemetry.log import Row, get_logger

log = get_logger("session")


class CallLog:
    """The lines of calls, kept back for `limits.CALL_LOG_S` at most.

    Args:
        enabled: whether calls are logged at all.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._rows: list[Row] = []
        self._work = trio.Event()

    def note(self, call: Call, answer: Answer | None, *, name: str, client: str) -> None:
        """Has the line of an ended call written soon.

        Args:
            call: what ended.
            answer: what it ended with; None where its client withdrew it.
            name: the tool, prompt or resource, as its server knows it.
            client: what the client calls itself.
        """
        # Asked for the first row of each batch only.
        if not (self._rows or (self._enabled and log.shows_info)):
            return
        fields: dict[str, object] = {
            "method": call.method,
            "server": call.server,
            "name": name,
            "client": client,
            "ms": round((call.ended - call.started) * 1000, 1),
            "outcome": _outcome(answer),
        }
        self._rows.append((time.time(), fields))
        if len(self._rows) >= limits.LOG_LINES_PER_WRITE:
            self._write()
        elif len(self._rows) == 1:
            self._work.set()

    async def run(self) -> None:
        """Writes until cancelled, and then what is left."""
        try:
            while True:
                await self._work.wait()
                await trio.sleep(limits.CALL_LOG_S)
                self._work = trio.Event()
                self._write()
        finally:
            self._write()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            log.info_rows("call", rows)


def _outcome(answer: Answer | None) -> str:
    """`ok`, `cancelled`, or the error."""
    if answer is None:
        return "cancelled"
    return answer.message if isinstance(answer, Failure) else "ok"
