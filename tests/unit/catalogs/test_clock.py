"""The starter server `clock`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.catalogs.conftest import Server


@pytest.fixture
def clock(shared: Callable[[str], Server]) -> Server:
    """The server, with the time zones of this machine."""
    return shared("clock")


@pytest.mark.parametrize(
    ("zone", "proper"),
    [
        ("UTC", "UTC"),
        ("z", "UTC"),
        ("europe/berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("+5:30", "UTC+05:30"),
        ("UTC-3", "UTC-03:00"),
    ],
)
def test_the_time_anywhere(clock: Server, zone: str, proper: str) -> None:
    """The present moment is the same in every zone."""
    told = clock.call("now", zone=zone)["structuredContent"]
    assert told["zone"] == proper
    moment = datetime.fromisoformat(told["time"])
    assert abs(moment - datetime.now(UTC)) < timedelta(seconds=30)
    assert told["weekday"] == moment.strftime("%A")


def test_a_time_is_converted(clock: Server) -> None:
    """Daylight saving is taken into account on both sides."""
    result = clock.call(
        "convert", time="2026-07-01T12:00", **{"from": "Europe/Berlin"}, to=["Asia/Tokyo", "UTC"]
    )
    data = result["structuredContent"]
    assert [entry["time"] for entry in data["to"]] == [
        "2026-07-01T19:00:00+09:00",
        "2026-07-01T10:00:00+00:00",
    ]
    assert data["from"]["daylight_saving"]
    assert data["note"] == ""
    assert "Asia/Tokyo: Wednesday, 2026-07-01 19:00:00 (UTC+09:00)" in result["content"][0]["text"]


def test_a_time_of_today(clock: Server) -> None:
    """A bare time is one of today, and one target needs no list."""
    data = clock.call("convert", time="9:05", to="UTC")["structuredContent"]
    assert data["to"][0]["time"].endswith("T09:05:00+00:00")


def test_a_time_with_its_own_offset_needs_no_zone(clock: Server) -> None:
    """An offset in the time wins over `from`."""
    data = clock.call("convert", time="2026-01-01T00:00:00+05:00", to="UTC")["structuredContent"]
    assert data["to"][0]["time"] == "2025-12-31T19:00:00+00:00"


@pytest.mark.parametrize(
    ("time", "note"),
    [
        ("2026-03-29T02:30", "skip 02:30 on that day; 03:30 was taken"),
        ("2026-10-25T02:30", "show 02:30 twice on that day; the first was taken"),
    ],
)
def test_changes_of_the_clocks_are_pointed_out(clock: Server, time: str, note: str) -> None:
    """A local time that does not exist, or exists twice, comes with a note."""
    result = clock.call("convert", time=time, **{"from": "Europe/Berlin"}, to="UTC")
    assert note in result["structuredContent"]["note"]
    assert note in result["content"][0]["text"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"time": "noon", "to": "UTC"}, "'noon' is not a time; write it like"),
        ({"time": "25:00", "to": "UTC"}, "is not a time"),
        ({"time": 9, "to": "UTC"}, "'time' must be a text"),
        ({"to": "UTC"}, "'time' must be a text"),
        ({"time": "9:00"}, "a time zone must be a name"),
        ({"time": "9:00", "to": []}, "'to' must name 1 to 50 time zones"),
        ({"time": "9:00", "to": "Europe/Berln"}, "did you mean Europe/Berlin"),
        ({"time": "9:00", "to": "xxxxxxxxxx"}, "read clock://zones for all names"),
        ({"time": "9:00", "to": "../etc/passwd"}, "there is no time zone"),
        ({"time": "9:00", "to": "+25"}, "offsets end before 24 hours"),
        ({"time": "0001-01-01T00:00", "from": "+05", "to": "UTC"}, "end of the calendar"),
    ],
)
def test_errors_say_what_to_write(
    clock: Server, arguments: dict[str, object], complaint: str
) -> None:
    """Each complaint names what is wrong and what would be right."""
    assert complaint in clock.complaint("convert", **arguments)


def test_without_time_zone_data_it_says_so(start: Callable[..., Server]) -> None:
    """In an image without tzdata, offsets work and names get the reason."""
    clock = start("clock", PYTHONTZPATH="")
    assert clock.call("now", zone="+02:00")["structuredContent"]["utc_offset"] == "+02:00"
    assert "no time zone data (tzdata)" in clock.complaint("now", zone="Europe/Berlin")
    read = clock.request("resources/read", {"uri": "clock://zones"})["result"]
    assert read["contents"][0]["text"] == "UTC"


def test_resources(clock: Server) -> None:
    """All that is listed can be read."""
    listed = clock.request("resources/list")["result"]["resources"]
    for resource in listed:
        (read,) = clock.request("resources/read", {"uri": resource["uri"]})["result"]["contents"]
        assert read["uri"] == resource["uri"]
        assert read["mimeType"] == resource["mimeType"]
        assert "UTC" in read["text"]


def test_the_resource_template(clock: Server) -> None:
    """The template names a resource for each zone."""
    (template,) = clock.request("resources/templates/list")["result"]["resourceTemplates"]
    uri = template["uriTemplate"].replace("{+zone}", "Asia/Tokyo")
    (read,) = clock.request("resources/read", {"uri": uri})["result"]["contents"]
    assert json.loads(read["text"])["zone"] == "Asia/Tokyo"


@pytest.mark.parametrize("uri", ["clock://x", "clock://now/Nowhere", None])
def test_an_unknown_resource(clock: Server, uri: object) -> None:
    """What is not there is -32002, as the revisions up to 2025-11-25 say."""
    assert clock.request("resources/read", {"uri": uri})["error"]["code"] == -32002


def test_the_prompt(clock: Server) -> None:
    """The prompt shows each zone's clock and carries its arguments."""
    (prompt,) = clock.request("prompts/list")["result"]["prompts"]
    arguments = {"zones": "Europe/Berlin, asia/tokyo", "topic": "the release", "minutes": "45"}
    got = clock.request("prompts/get", {"name": prompt["name"], "arguments": arguments})["result"]
    text = got["messages"][0]["content"]["text"]
    assert "- Asia/Tokyo: " in text
    assert "a meeting of 45 minutes about the release" in text


@pytest.mark.parametrize(
    "params",
    [
        {"name": "nosuch"},
        {"name": "plan_meeting"},
        {"name": "plan_meeting", "arguments": {"zones": "Nowhere"}},
        {"name": "plan_meeting", "arguments": ["UTC"]},
    ],
)
def test_a_prompt_that_cannot_be_made(clock: Server, params: object) -> None:
    """A wrong prompt or argument is -32602."""
    assert clock.request("prompts/get", params)["error"]["code"] == -32602
