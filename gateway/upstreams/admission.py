"""Whether a message that its server refused before executing it is sent anew, and after how long. Must not know how it is sent.

401: once, after the entry's headers were looked up again. 429 and 503: when the server says so in `Retry-After`, within bounds;
without that header a 503 may also come from a proxy whose server broke off, having executed something.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import trio

from gateway import limits
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused
from gateway.upstreams.credentials import Credentials

_PUT_OFF: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

_log = get_logger("upstream")


class Admission:
    """What one message may still wait for, over all its tries.

    Args:
        credentials: what goes with it.
        server: its name, for the log.
        deadline: until when an answer is of use, on trio's clock.
    """

    def __init__(self, credentials: Credentials, *, server: str, deadline: float) -> None:
        self._credentials = credentials
        self._server = server
        self._deadline = deadline
        self._left_s = limits.PUT_OFF_S
        self._renewed = False

    async def pause_s(
        self, status: int, retry_after_s: float | None, *, version: int
    ) -> float | None:
        """Seconds to wait before the message is sent anew; None where it is not, because that would not help.

        Args:
            status: of the server's answer.
            retry_after_s: as the answer says.
            version: that of the credentials that went with the message.
        """
        if status == HTTPStatus.UNAUTHORIZED and not self._renewed:
            self._renewed = True
            pause = 0.0 if await self._credentials.renew(version) else None
        elif status in _PUT_OFF and retry_after_s is not None:
            pause = self._put_off(max(retry_after_s, limits.PUT_OFF_FLOOR_S))
        else:
            pause = None
        if pause is not None:
            _log.info("upstream_asked_anew", server=self._server, status=status, after_s=pause)
        return pause

    def _put_off(self, pause: float) -> float | None:
        """That pause, if the message may still wait for so long."""
        if pause > self._left_s:
            refused("to_servers.PUT_OFF_S")
            return None
        if trio.current_time() + pause >= self._deadline:
            return None
        self._left_s -= pause
        return pause
