"""Where the notifications of one server go: to the call that they belong to, else to whoever listens."""

from __future__ import annotations

from collections.abc import Callable

from actors.call import Call
from actors.dialects import Dialect
from actors.upstream_listener import Listener
from gateway.errors import InvalidParams
from gateway.jsonrpc import codec
from gateway.jsonrpc.ids import IdMap
from gateway.jsonrpc.messages import Notification
from gateway.mcp import params
from gateway.telemetry.log import get_logger

log = get_logger("upstream")


class ServerNotes:
    """The notifications of one server.

    Args:
        server: its name.
        inflight: the calls that it is to answer.
        listener: told of what belongs to no call.
        retracted: told where it no longer wants an answer of its client.
    """

    def __init__(
        self,
        *,
        server: str,
        inflight: IdMap[Call],
        listener: Listener,
        retracted: Callable[[Notification], None],
    ) -> None:
        self._server = server
        self._inflight = inflight
        self._listener = listener
        self._retracted = retracted

    def take(self, notification: Notification, dialect: Dialect) -> None:
        """Sends a notification to the call that it belongs to, else to the listener."""
        method = notification.method
        if method == "notifications/progress":
            self._progress(notification)
        elif method.endswith("/list_changed"):
            self._listener.list_changed(method)
        elif method == "notifications/message":
            self._log_line(notification, dialect)
        elif method == "notifications/cancelled":
            self._retracted(notification)
        else:
            self._listener.notified(notification)

    def _log_line(self, notification: Notification, dialect: Dialect) -> None:
        """A log line goes to the call that it belongs to; where that cannot be told, to whose server this is."""
        call = dialect.listener_of_log(self._inflight.values())
        if call is not None:
            call.relay(notification)
        elif dialect.era == "legacy":
            self._listener.notified(notification)

    def _progress(self, notification: Notification) -> None:
        """Gives progress back its client's token; the call's deadline starts anew."""
        try:
            fields = params.fields(notification.params)
            token = params.reported_token(fields)
        except InvalidParams:
            log.debug("bad_progress", server=self._server)
            return
        call = self._inflight.get(token)
        if call is None or call.progress_token is None:
            return
        call.extend()
        fields["progressToken"] = codec.raw(call.progress_token)
        call.relay(Notification(notification.method, params.pack(fields)))
