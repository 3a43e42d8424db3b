"""Files that change while the gateway runs: what is new is served, what is unchanged keeps running, clients hear of it once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.conftest import Containers
from tests.e2e.gateways import Pipe, await_true, call_over
from tests.e2e.places import Place

pytestmark = pytest.mark.slow

Entry = Callable[..., dict[str, Any]]

CHANGED = "notifications/tools/list_changed"
QUIET_S = 2.5
"""Until files that changed have certainly been looked at: that nothing happens shows in no other way."""
NOTICED_S = 15.0
"""From a change of a file to the clients' news of it: settling, reading, listing a server."""


def names_of(client: Pipe) -> set[str]:
    """The servers whose tools are listed, by their prefix."""
    tools = client.request("tools/list")["result"]["tools"]
    return {tool["name"].partition("_")[0] for tool in tools}


@contextmanager
def watched(place: Place, *flags: str) -> Iterator[Pipe]:
    """A client of a gateway that has listed everything and said all that there was to say."""
    with place.stdio(*flags) as client:
        client.initialize()
        client.request("tools/list")
        # An echo of a warm server comes after whatever the list brought about.
        client.call("a_echo", text="x")
        while client.has_more():
            client.receive()
        client.notifications.clear()
        yield client


def news(client: Pipe) -> list[str]:
    """The methods of the notifications up to and with the first of `CHANGED`, and all that follow it at once."""
    methods = []
    while CHANGED not in methods:
        methods.append(client.receive(NOTICED_S)["method"])
    client.request("ping")
    return methods + [message["method"] for message in client.notifications]


def test_a_new_server_appears_and_the_old_one_keeps_its_container(
    place: Place, echo: Entry, containers: Containers
) -> None:
    """Nobody reconnects, and the client is told once."""
    old = {"a": echo("--tools=a")}
    place.write(old)
    with watched(place) as client:
        before = containers(place)
        place.write({**old, "b": echo("--tools=b")})
        client.await_log("snapshot_applied")
        await_true(lambda: names_of(client) == {"a", "b"}, "b is listed", NOTICED_S)
        assert client.call("b_echo", text="y") == "y"
        assert client.call("a_echo", text="z") == "z"
        assert set(before) <= set(containers(place))


def test_clients_are_told_once(place: Place, echo: Entry) -> None:
    """Of one change, however many files and servers it touches; and not at all of none."""
    old = {"a": echo("--tools=a")}
    new = {**old, "b": echo("--tools=b"), "c": echo("--tools=c")}
    place.write(new)
    with place.stdio() as client:
        client.initialize()
        client.request("tools/list")
    place.write(old)
    with watched(place) as client:
        place.write(old)
        time.sleep(QUIET_S)
        assert not client.has_more()
        place.write(new)
        assert news(client).count(CHANGED) == 1
        assert names_of(client) == {"a", "b", "c"}


def test_a_changed_server_gets_a_new_container(
    place: Place, echo: Entry, containers: Containers
) -> None:
    """A changed secret, too; its neighbour keeps the old one, and what is in flight ends where it is."""
    secret = [{"name": "b.key", "env": "KEY"}]
    servers = {"a": echo("--tools=a"), "b": echo("--tools=b", secrets=secret)}
    place.write(servers)
    place.run("secret", "set", "b.key=first")
    with watched(place) as client:
        assert client.call("b_env", name="KEY") == "first"
        before = {name.rpartition("-")[0]: name for name in containers(place)}
        slow = client.ask("tools/call", {"name": "b_sleep", "arguments": {"ms": 3000}})
        place.run("secret", "set", "b.key=second")
        client.await_log("snapshot_applied")
        assert client.call("b_env", name="KEY") == "second"
        assert client.answer_to(slow)["result"]["content"][0]["text"] == "slept"
        after = containers(place)
        assert before["mcp-a"] in after
        await_true(lambda: before["mcp-b"] not in containers(place), "old container gone", 8)


def test_a_removed_server_goes(place: Place, echo: Entry, containers: Containers) -> None:
    """`server disable` in another terminal does it; its container goes, its neighbour's stays."""
    place.write({"a": echo("--tools=a"), "b": echo("--tools=b")})
    with watched(place) as client:
        client.call("b_echo", text="x")
        disabled = place.run("server", "disable", "b")
        assert disabled.returncode == 0, disabled.stderr
        assert CHANGED in news(client)
        assert names_of(client) == {"a"}
        await_true(lambda: len(containers(place)) == 1, "b's container is gone", 8)
        assert "b_echo" in client.call("b_echo")
        assert client.call("a_echo", text="z") == "z"


@pytest.mark.parametrize("name", ["catalogs/docker-mcp.yaml", "registry.yaml", "config.yaml"])
def test_a_broken_file_changes_nothing(
    place: Place, echo: Entry, containers: Containers, name: str
) -> None:
    """The last good state stays in force, the log names file and line, and the next good file counts."""
    servers = {"a": echo("--tools=a")}
    place.write(servers, config={"a": {}})
    with watched(place) as client:
        before = containers(place)
        place.write_text(name, "a: [1, 2\nb: {\n")
        client.await_log("catalog_reload_refused")
        line = next(line for line in client.log.splitlines() if "reload_refused" in line)
        assert name in line
        assert names_of(client) == {"a"}
        assert client.call("a_echo", text="x") == "x"
        assert containers(place) == before
        place.write({**servers, "b": echo("--tools=b")}, config={})
        await_true(lambda: names_of(client) == {"a", "b"}, "b is listed", NOTICED_S)
        assert set(before) <= set(containers(place))


def test_a_broken_entry_costs_only_itself(place: Place, echo: Entry) -> None:
    """It is named with file, line and reason, at the start and in `server list`; the others run."""
    good, bad = json.dumps(echo("--tools=a")), '{"image": [1]}'
    text = f"registry:\n  a: {good}\n  wrong: {bad}\n  b: {good.replace('=a', '=b')}\n"
    place.write_text("catalogs/docker-mcp.yaml", text)
    place.write_text("registry.yaml", "registry: {a: {}, wrong: {}, b: {}}")
    with place.stdio() as client:
        client.initialize()
        assert names_of(client) == {"a", "b"}
        assert "docker-mcp.yaml:3" in client.log
    listed = place.run("server", "list")
    line = next(line for line in (listed.stdout + listed.stderr).splitlines() if "wrong" in line)
    assert "docker-mcp.yaml:3" in line
    assert "image" in line


def test_without_watch_files_are_read_once(place: Place, echo: Entry) -> None:
    """`--watch=false` is for those who mount their files read-only and restart."""
    place.write({"a": echo("--tools=a")})
    with watched(place, "--watch=false") as client:
        place.write({"a": echo("--tools=a"), "b": echo("--tools=b")})
        time.sleep(QUIET_S)
        assert names_of(client) == {"a"}


def test_a_changed_config_value_is_rendered_anew(place: Place, echo: Entry) -> None:
    """`config set` in another terminal; the next call sees the new value."""
    env = [{"name": "REGION", "value": "{{a.region}}"}]
    place.write({"a": echo("--tools=a", env=env)}, config={"a": {"region": "north"}})
    with place.network() as gateway, gateway.session() as client:
        assert call_over(client, "a_env", name="REGION") == "north"
        place.write_text("config.yaml", "a: {region: south}\n")
        gateway.await_log("snapshot_applied")
        assert call_over(client, "a_env", name="REGION") == "south"
