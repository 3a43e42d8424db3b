"""actors/back_channel.py: the bound on what servers may ask of one client. The rest is seen through sessions."""

from __future__ import annotations

import pytest

from actors.back_channel import BackChannel
from actors.call import Answer
from actors.server_request import ServerRequest
from gateway import limits
from gateway.jsonrpc.codec import raw
from gateway.jsonrpc.messages import Failure, Message


@pytest.mark.refuses("to_clients.MAX_SERVER_REQUESTS")
def test_questions_to_one_client_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is told, and may ask again; the client sees no more than it can answer."""
    monkeypatch.setattr(limits, "MAX_SERVER_REQUESTS", 2)
    told: list[Message] = []
    answers: list[Answer] = []

    def tell(message: Message) -> bool:
        told.append(message)
        return True

    channel = BackChannel(tell)
    channel.capabilities = {"roots": raw({})}
    for _ in range(3):
        channel.ask(
            ServerRequest("roots/list", None, server="fake", call=None, answered=answers.append)
        )
    assert len(told) == len(channel) == 2
    (refusal,) = answers
    assert isinstance(refusal, Failure)
    assert refusal.code == -32000
