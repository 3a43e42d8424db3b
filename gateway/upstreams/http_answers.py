"""How a message is posted, and the messages in the answer that is no stream. Must not know eras, nor what becomes of them."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway import limits
from gateway.errors import Malformed, ProtocolFault
from gateway.jsonrpc.codec import decode
from gateway.jsonrpc.messages import Failure, Id, Illegible, Message, Request, Result
from gateway.upstreams.frames import Frames
from gateway.upstreams.wire import Broken, Reply

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"
POST_HEADERS: Final = {"content-type": JSON, "accept": f"{JSON}, {EVENT_STREAM}"}
"""Of every message, in both eras."""


def answers(message: Message, request_id: Id | None) -> bool:
    """Whether this is the answer to the request of that id."""
    return (
        request_id is not None
        and isinstance(message, Result | Failure)
        and message.id == request_id
    )


async def read_messages(
    reply: Reply, frames: Frames, request: Request, *, who: str
) -> list[Message]:
    """The messages of an answer that is no stream, that to `request` among them.

    Raises:
        Broken: the connection broke.
        ProtocolFault: the request's answer is not among them.
    """
    if reply.media_type != JSON:
        raise ProtocolFault(
            f"{who} answered with {reply.media_type or 'nothing'} instead of {JSON}: "
            "check the url of its entry"
        )
    messages = frames.unpack(await reply.read(limits.MAX_FRAME_BYTES))
    messages = [_addressed(message, request.id) for message in messages]
    if not any(answers(message, request.id) for message in messages):
        raise ProtocolFault(f"{who} sent something else than an answer to {request.method}")
    return messages


def addressed(messages: list[Message], request_id: Id | None) -> list[Message]:
    """Messages of the stream for the answer to one request: what cannot be read is that. Other streams bring no answers."""
    if request_id is None:
        return [message for message in messages if not isinstance(message, Illegible)]
    return [
        _addressed(message, request_id) if isinstance(message, Illegible) else message
        for message in messages
    ]


async def read_error(reply: Reply) -> Failure | None:
    """The JSON-RPC error in the body of an HTTP error, None where there is none."""
    if reply.media_type != JSON:
        return None
    try:
        message = decode(await reply.read(limits.MAX_ERROR_BODY_BYTES))
    except (Broken, ProtocolFault, Malformed):
        return None
    return message if isinstance(message, Failure) else None


def _addressed(message: Message, request_id: Id) -> Message:
    """The message, where it is an error for nobody, addressed to the one request it can be meant for."""
    if isinstance(message, Failure) and message.id is None:
        return msgspec.structs.replace(message, id=request_id)
    return message
