"""How calls are put to a server of one era, and how its answers are read. Must not know pipes, nor who waits.

A running server speaks one era, found out when it is greeted; its `Upstream` asks the dialect of that era.

Source: MCP 2026-07-28, basic, "Requests" and "Results"; MCP 2025-11-25, basic.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

from actors.call import Answer, Call
from gateway.errors import GatewayError
from gateway.jsonrpc.codec import failure
from gateway.jsonrpc.messages import Failure
from gateway.mcp import capabilities, discover, era, meta, params
from gateway.mcp.identity import CLIENT_INFO
from gateway.mcp.params import Fields
from gateway.mcp.versions import Era


class Dialect(Protocol):
    """The manners of one era."""

    era: ClassVar[Era]
    sign_of_life: ClassVar[str]
    """A request that every server answers at once, whatever else it does."""

    def dressed(self, call: Call) -> Fields:
        """The call's params as they are sent; not to be changed.

        Raises:
            InvalidParams: their `_meta` is no object.
        """

    def read(self, call: Call, answer: Answer) -> Answer:
        """The server's answer in the words of the call's client."""

    def listener_of_log(self, inflight: Iterable[Call]) -> Call | None:
        """The call that a log line belongs to, None where that cannot be told: log lines name none on a pipe."""


class LegacyDialect:
    """What was said in `initialize` holds for every call. Answers are handed on as they come: who asked converts them."""

    era: ClassVar[Era] = "legacy"
    sign_of_life: ClassVar[str] = "ping"

    def dressed(self, call: Call) -> Fields:
        """The params, with a progress token of ours where the client gave one."""
        return _with_token(call)

    def read(self, call: Call, answer: Answer) -> Answer:  # noqa: ARG002 -- the same for all calls
        """The answer itself."""
        return answer

    def listener_of_log(self, inflight: Iterable[Call]) -> Call | None:
        """The only call in flight."""
        return _only(inflight)


class ModernDialect:
    """Each call says who makes it. `version` is the revision that both sides speak."""

    era: ClassVar[Era] = "modern"
    sign_of_life: ClassVar[str] = discover.METHOD

    def __init__(self, version: str) -> None:
        self.version = version

    def dressed(self, call: Call) -> Fields:
        """The params, stamped with what the server must know of the call's client."""
        profile = call.profile
        fields = _with_token(call)
        if profile.era == "legacy":
            # The experiment's own way to ask for a task: here the server decides, and only where its client can.
            fields = {name: value for name, value in fields.items() if name != "task"}
        return meta.stamp(
            fields,
            version=self.version,
            capabilities=capabilities.client_to_modern(profile.capabilities),
            client_info=CLIENT_INFO,
            log_level=profile.log_level or None,
        )

    def read(self, call: Call, answer: Answer) -> Answer:
        """The answer as a legacy client knows it; a modern client's call gets it as it is."""
        if call.profile.era == "modern":
            return answer
        if isinstance(answer, Failure):
            return era.failure_to_legacy(answer, call.method)
        try:
            return era.result_to_legacy(call.method, answer)
        except GatewayError as error:
            return failure(error, None)

    def listener_of_log(self, inflight: Iterable[Call]) -> Call | None:
        """The only call in flight that asked for log lines."""
        return _only(call for call in inflight if call.profile.log_level)


LEGACY = LegacyDialect()


def _with_token(call: Call) -> Fields:
    """The params, with the call's number as its progress token where the client wants progress."""
    if call.progress_token is None:
        return call.fields
    return params.with_progress_token(call.fields, call.number)


def _only(calls: Iterable[Call]) -> Call | None:
    """The only one of them, None where there are more, or none."""
    found = list(calls)
    return found[0] if len(found) == 1 else None
