"""Clients not written here, over each transport, with servers not written here: what people really connect."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import Containers
from tests.e2e.gateways import await_true
from tests.e2e.places import Place
from tests.e2e.published import PUBLISHED, TRANSPORTS, Outcome, Step, Target, Transport

pytestmark = pytest.mark.slow

_TOKYO = {
    "source_timezone": "Europe/Berlin",
    "time": "12:00",
    "target_timezone": "Asia/Tokyo",
}
_LONG = {"duration": 1, "steps": 4}

STEPS: tuple[Step, ...] = (
    ("tools/list", {}),
    ("tools/call", {"name": "convert_time", "arguments": _TOKYO}),
    ("tools/call", {"name": "get-sum", "arguments": {"a": 19, "b": 23}}),
    ("tools/call", {"name": "get-tiny-image", "arguments": {}}),
    ("tools/call", {"name": "no-such-tool", "arguments": {}}),
    ("prompts/list", {}),
    ("prompts/get", {"name": "args-prompt", "arguments": {"city": "Graz"}}),
    ("resources/list", {}),
    ("resources/templates/list", {}),
    ("resources/read", {"uri": "demo://resource/dynamic/text/7"}),
    ("tools/call", {"name": "trigger-long-running-operation", "arguments": _LONG}),
)


@contextmanager
def reached(place: Place, transport: Transport) -> Iterator[Target]:
    """The gateway as a client of that transport reaches it."""
    if transport == "stdio":
        yield Target(transport=transport, command=tuple(place.command()), environ=place.environ)
        return
    with place.network(transport=transport) as gateway:
        yield Target(transport=transport, url=gateway.url, token=gateway.token)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("client", PUBLISHED)
def test_lists_and_calls(
    known_place: Place, containers: Containers, client: str, transport: Transport
) -> None:
    """Tools, prompts and resources of all servers arrive as their servers made them."""
    steps = STEPS if client != "inspector" else STEPS[:3]
    with reached(known_place, transport) as target:
        outcomes = PUBLISHED[client].do(target, steps)
        check_tools(outcomes)
        if client != "inspector":
            check_content(outcomes)
            check_progress(outcomes[-1], client)
            # They said goodbye (the inspector does not): what they used is gone while the gateway goes on.
            await_true(lambda: not containers(known_place), "no container left", 15)


def check_tools(outcomes: list[Outcome]) -> None:
    """The list and two calls."""
    names = {tool["name"] for tool in outcomes[0]["result"]["tools"]}
    assert {"convert_time", "get_current_time", "echo", "get-sum", "get-tiny-image"} <= names
    converted = json.loads(outcomes[1]["result"]["content"][0]["text"])
    assert converted["source"]["datetime"][11:16] == "12:00"
    assert converted["target"]["timezone"] == "Asia/Tokyo"
    assert "42" in outcomes[2]["result"]["content"][0]["text"]


def check_content(outcomes: list[Outcome]) -> None:
    """What is no plain text, and what is no tool."""
    image, refused, prompts, prompt, resources, templates, resource = outcomes[3:-1]
    pictures = [part for part in image["result"]["content"] if part["type"] == "image"]
    assert base64.b64decode(pictures[0]["data"]).startswith(b"\x89PNG")
    assert "no-such-tool" in refused["error"]
    assert "args-prompt" in {found["name"] for found in prompts["result"]["prompts"]}
    assert "Graz" in prompt["result"]["messages"][0]["content"]["text"]
    assert resources["result"]["resources"]
    assert templates["result"]["resourceTemplates"]
    assert resource["result"]["contents"][0]["uri"] == "demo://resource/dynamic/text/7"


def check_progress(outcome: Outcome, client: str) -> None:
    """Each step of the long call reached its caller, in order."""
    steps = [[1, 4], [2, 4], [3, 4], [4, 4]]
    # The TypeScript SDK forgets the caller before it has seen to a notification that came in one go with the answer.
    assert outcome["progress"] in ([steps, steps[:-1]] if client == "node" else [steps])
    assert "completed" in outcome["result"]["content"][0]["text"]
