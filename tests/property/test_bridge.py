"""Whole conversations across revisions: nothing that either side says makes the gateway say what the other one's schema refuses."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.property.conversation import Conversation
from tests.property.spec import REVISIONS

revisions = st.sampled_from(REVISIONS)


def held(data: Any, *, polite: bool) -> None:
    """Has a conversation; every message of the gateway is what its receiver's revision allows, every request is answered."""
    talk = Conversation(
        data.draw, client=data.draw(revisions), server=data.draw(revisions), polite=polite
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        trio.run(
            talk.run,
            Path(folder),
            data.draw(st.integers(1, 12)),
            clock=MockClock(autojump_threshold=0),
        )
    heard = talk.heard.faults(talk.client, "Server", strict=polite, other=talk.server)
    assert list(heard) == []
    for server in talk.servers:
        told = server.heard().faults(talk.server, "Client", strict=polite, other=talk.client)
        assert list(told) == []
    for outlet in talk.outlets:
        assert len(outlet.answers) == 1, outlet.request
        assert outlet.answers[0] is not None or outlet.is_cancelled, outlet.request


@pytest.mark.slow
@given(st.data())
@settings(deadline=None)
def test_what_is_valid_on_one_side_is_valid_on_the_other(data: Any) -> None:
    """Both peers say only what their own revisions allow; so does the gateway, to each in its own."""
    held(data, polite=True)


@pytest.mark.slow
@given(st.data())
@settings(deadline=None)
def test_nonsense_of_one_side_never_breaks_the_form_of_the_other(data: Any) -> None:
    """Envelopes, methods and the members of results that cross eras are right, whatever comes; so is what the gateway says."""
    held(data, polite=False)
