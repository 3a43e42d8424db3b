"""The four kinds of JSON-RPC message. Payloads stay `Raw`: this module must not know what is in them.

Source: JSON-RPC 2.0 §4 and §5; MCP 2025-11-25, base protocol, "Messages" (ids are never null, batches do not exist
outside 2025-03-26).
"""

from __future__ import annotations

import msgspec

Id = int | float | str
"""A request id as its sender wrote it. `1` and `1.0` are one id."""


class Request(
    msgspec.Struct, frozen=True, gc=False, tag_field="jsonrpc", tag="2.0", omit_defaults=True
):
    """A call that is owed exactly one `Result` or `Failure`.

    `params` is a JSON object or array, or None where absent. Arrays are for the method's reader to refuse (-32602).
    """

    id: Id
    method: str
    params: msgspec.Raw | None = None


class Notification(
    msgspec.Struct, frozen=True, gc=False, tag_field="jsonrpc", tag="2.0", omit_defaults=True
):
    """A message that is never answered."""

    method: str
    params: msgspec.Raw | None = None


class Result(msgspec.Struct, frozen=True, gc=False, tag_field="jsonrpc", tag="2.0"):
    """The answer to the request of that id."""

    id: Id
    result: msgspec.Raw


class Failure(msgspec.Struct, frozen=True, gc=False):
    """The error answer to the request of that id; None where the id could not be read.

    `data` is any JSON value, or None where absent.
    """

    id: Id | None
    code: int
    message: str
    data: msgspec.Raw | None = None


class Untaken(Failure, frozen=True, gc=False):
    """Said by a pipe itself: the server has not executed the request, and takes no more over this pipe, which ends.

    `id` is None where that was found out apart from any request.
    """


class OutcomeUnknown(Failure, frozen=True, gc=False):
    """Said by a pipe itself: the request was on its way, and nobody knows whether it was executed; others go on."""


class Illegible(Failure, frozen=True, gc=False):
    """Said by a pipe itself: something came that cannot be read, and may be an answer; nobody knows to which request."""


class Missed(Notification, frozen=True, gc=False, tag_field="jsonrpc", tag="2.0"):
    """Said by a pipe itself: what the server said unasked may not have arrived. Its method means nothing."""


Message = Request | Notification | Result | Failure
