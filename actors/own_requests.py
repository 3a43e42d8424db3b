"""Requests that the gateway itself makes of a server: for lists, for a greeting, for a sign of life. Must not know what for."""

from __future__ import annotations

import msgspec
import trio

from actors.call import Answer, Call
from actors.upstream import Upstream
from gateway import limits
from gateway.errors import ProtocolFault, TooSlow
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure
from gateway.mcp.profile import ClientProfile

OURSELVES = ClientProfile(era="modern")
"""What servers are told of the gateway where it asks by itself: it can do nothing, and reads results as they are."""


async def ask(
    upstream: Upstream, method: str, fields: dict[str, msgspec.Raw], *, within_s: float
) -> msgspec.Raw:
    """Sends a request of the gateway's own and waits for its result.

    Cancellation: the server is told.

    Raises:
        Gone, TooSlow, Overloaded
        ProtocolFault: the server answered an error.
    """
    answer = await inquire(upstream, method, fields, within_s=within_s)
    if isinstance(answer, Failure):
        raise ProtocolFault(
            f"server {upstream.server} refused {method}: {answer.message} ({answer.code})"
        )
    return answer


async def inquire(
    upstream: Upstream, method: str, fields: dict[str, msgspec.Raw], *, within_s: float
) -> Answer:
    """The same, for who can make sense of an error.

    Raises:
        Gone, TooSlow, Overloaded
    """
    done = trio.Event()
    answers: list[msgspec.Raw | Failure | None] = []

    def settled(_call: Call, answer: msgspec.Raw | Failure | None) -> None:
        answers.append(answer)
        done.set()

    call = Call(
        method,
        fields,
        server=upstream.server,
        owner="",
        timeout_s=within_s,
        settled=settled,
        relayed=lambda _call, _notification: None,
        profile=OURSELVES,
    )
    upstream.start(call)
    try:
        with trio.move_on_after(within_s):
            await done.wait()
    finally:
        call.withdraw("no longer wanted")
    if answers[0] is None:
        # What is left of a deadline has a long fraction that tells nobody anything.
        patience = f"{round(within_s, 1):g} s"
        raise TooSlow(f"server {upstream.server} did not answer {method} within {patience}")
    if isinstance(answers[0], Failure) and upstream.ended is not None:
        raise upstream.ended
    return answers[0]


def set_log_level(upstream: Upstream, level: str) -> None:
    """Tells the server how much its client wants to hear; whatever it answers. Modern ones are told in each call."""
    if upstream.dialect.era == "modern":
        return
    upstream.start(
        Call(
            "logging/setLevel",
            {"level": codec.raw(level)},
            server=upstream.server,
            owner="",
            timeout_s=limits.CALL_TIMEOUT_S,
            settled=lambda _call, _answer: None,
            relayed=lambda _call, _message: None,
        )
    )
