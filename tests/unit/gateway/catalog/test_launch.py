"""Entry and surroundings to launch: templates, secrets, kinds, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.catalog.launch import Prepared, Surroundings, prepare
from gateway.catalog.model import (
    ContainerLaunch,
    Mount,
    Origin,
    ProcessLaunch,
    RemoteLaunch,
    ServerEntry,
)
from gateway.catalog.parse import parse_catalog
from gateway.errors import CatalogError

MIB = 1024 * 1024
SECRETS = {"fs.token": "s3cret", "shared": "both"}


def around(**changes: Any) -> Surroundings:
    """Plain surroundings with a few secrets."""
    given: dict[str, Any] = {
        "secret": lambda use, _origin: SECRETS.get(use.name),
        "memory_bytes": 64 * MIB,
        "cpus": 1.0,
        "pids": 100,
        "home": "/home/me",
        **changes,
    }
    return Surroundings(**given)


def entry(body: str, *, name: str = "fs", trusted: bool = True) -> ServerEntry:
    """One entry in YAML flow style."""
    parsed = parse_catalog(
        f"registry: {{{name}: {body}}}".encode(), source="/cat/c.yaml", trusted=trusted
    )
    assert parsed.faults == ()
    return parsed.entries[0]


def launched(body: str, config: Mapping[str, Any] | None = None, **changes: Any) -> Prepared:
    """The prepared launch of an entry."""
    return prepare(entry(body), config or {}, around(**changes))


def container(body: str, config: Mapping[str, Any] | None = None) -> ContainerLaunch:
    """The container launch of an entry."""
    launch = launched(body, config).launch
    assert isinstance(launch, ContainerLaunch)
    return launch


def test_filesystem_entry_of_the_public_catalog() -> None:
    """Paths become binds and arguments; an absent list becomes nothing."""
    body = (
        "{image: mcp/filesystem, disableNetwork: true, command: ['{{fs.paths|volume-target|into}}'],"
        " volumes: ['{{fs.paths|volume|into}}']}"
    )
    launch = container(body, {"paths": ["/srv/a", "~/b"]})
    assert launch.command == ("/srv/a", "/home/me/b")
    assert [mount.source for mount in launch.mounts] == ["/srv/a", "/home/me/b"]
    assert launch.disable_network
    assert container(body).command == ()
    assert container(body).mounts == ()


def test_env_holds_declared_secrets_then_env_and_no_empty_value() -> None:
    """`$VAR` sees what came before; a template is not expanded again."""
    launch = container(
        "{image: a, secrets: [{name: fs.token, env: TOKEN}, {name: absent, env: ABSENT}],"
        " env: [{name: AUTH, value: 'Bearer $TOKEN'}, {name: AGAIN, value: '${AUTH}!'},"
        " {name: URL, value: '{{fs.url}}'}, {name: EMPTY, value: '{{fs.nothing}}'}, {name: NONE}]}",
        {"url": "http://x/$TOKEN"},
    )
    assert launch.env == {
        "TOKEN": "s3cret",
        "AUTH": "Bearer s3cret",
        "AGAIN": "Bearer s3cret!",
        "URL": "http://x/$TOKEN",
    }


def test_command_expands_variables_in_its_own_text_only() -> None:
    """A dollar in a config value stays a dollar."""
    launch = container(
        "{image: a, secrets: [{name: fs.token, env: T}], command: ['--key=$T', '--pw={{fs.pw}}']}",
        {"pw": "a$T"},
    )
    assert launch.command == ("--key=s3cret", "--pw=a$T")


def test_missing_secret_leaves_a_note_and_a_required_one_stops_the_launch() -> None:
    """Both name the command that helps."""
    prepared = launched("{image: a, secrets: [{name: x.y, env: XY}]}")
    assert prepared.notes == ("fs: the secret x.y is not set: run `mcpgw secret set x.y`",)
    with pytest.raises(CatalogError, match="mcpgw secret set x"):
        launched("{image: a, secrets: [{name: x.y, env: XY, required: true}]}")


def test_config_defaults_come_from_the_schema() -> None:
    """What config.yaml says wins, key by key, at any depth."""
    body = (
        "{image: a, command: ['{{fs.a}}', '{{fs.deep.b}}', '{{fs.deep.c}}'], config: [{name: fs, properties:"
        " {a: {default: 1}, deep: {type: object, properties: {b: {default: 2}, c: {default: 3}}}}}]}"
    )
    assert container(body).command == ("1", "2", "3")
    assert container(body, {"deep": {"b": "x"}}).command == ("1", "x", "3")


def test_missing_config_leaves_a_note() -> None:
    """Most servers then say something less clear."""
    body = "{image: a, config: [{name: fs, required: [paths, mode], properties: {mode: {default: x}}}]}"
    assert launched(body).notes == (
        "fs: a value is missing: run `mcpgw config set fs.paths=VALUE`",
    )
    assert launched(body, {"paths": ["/a"]}).notes == ()
    assert launched("{image: a, config: [{required: 5}, {type: object}]}").notes == ()


def test_dotted_and_renamed_servers_find_their_config() -> None:
    """Templates may use the name, the name with underscores, or the schema's name."""
    server = entry(
        "{image: a, command: ['{{io.x.k}}', '{{io_x.k}}', '{{orig.k}}'], config: [{name: orig}]}",
        name="io.x",
    )
    launch = prepare(server, {"k": "v"}, around()).launch
    assert isinstance(launch, ContainerLaunch)
    assert launch.command == ("v", "v", "v")


def test_limits_are_the_entrys_or_the_surroundings() -> None:
    """Flags are defaults, the entry knows better."""
    own = container("{image: a, resources: {limits: {memory: 512M, cpu: 0.5, pids: 9}}}")
    assert (own.memory_bytes, own.cpus, own.pids) == (512 * MIB, 0.5, 9)
    default = container("{image: a}")
    assert (default.memory_bytes, default.cpus, default.pids) == (64 * MIB, 1.0, 100)


@pytest.mark.parametrize("user", ["-u root", "--x", "a b"])
def test_user_must_not_look_like_a_flag(user: str) -> None:
    """Even where a template made it so."""
    with pytest.raises(CatalogError, match="user"):
        container("{image: a, user: '{{fs.u}}'}", {"u": user})


def test_guarded_bind_needs_its_line() -> None:
    """The server's own lines count."""
    server = entry("{image: a, volumes: ['/etc:/etc:ro']}")
    with pytest.raises(CatalogError, match="add to config"):
        prepare(server, {}, around())
    launch = prepare(server, {}, around(), ("/etc",)).launch
    assert isinstance(launch, ContainerLaunch)
    assert launch.mounts == (Mount("/etc", "/etc", read_only=True, bind=True),)


# --- processes --------------------------------------------------------------------------------------------------

BOTH = "{image: a, process: {command: [python3, server.py], env: {MODE: '{{fs.m}}'}}}"


def test_process_runs_in_its_catalogs_folder() -> None:
    """Relative programs and `cwd` count from there; names on PATH stay names."""
    launch = launched(
        "{process: {command: [bin/run, '$A', x], cwd: work}, env: [{name: A, value: b}]}"
    ).launch
    assert launch == ProcessLaunch(
        command=("/cat/bin/run", "b", "x"), env={"A": "b"}, cwd="/cat/work"
    )
    bare = launched("{process: {command: [npx, -y, pkg]}}").launch
    assert bare == ProcessLaunch(command=("npx", "-y", "pkg"), env={}, cwd="/cat")


@pytest.mark.parametrize(
    ("in_reach", "fallback", "kind"),
    [
        (None, True, ContainerLaunch),
        (True, True, ContainerLaunch),
        (False, False, ContainerLaunch),
        (False, True, ProcessLaunch),
    ],
)
def test_entry_with_both_forms_falls_back_only_when_asked(
    *, in_reach: bool | None, fallback: bool, kind: type
) -> None:
    """Never silently, and never while an engine may answer."""
    launch = launched(BOTH, {"m": "x"}, engine_in_reach=in_reach, local_fallback=fallback).launch
    assert isinstance(launch, kind)


def test_entry_with_only_an_image_stays_a_container() -> None:
    """Its calls then say that there is no engine."""
    launch = launched("{image: a}", engine_in_reach=False, local_fallback=True).launch
    assert isinstance(launch, ContainerLaunch)


def test_process_of_an_untrusted_entry_is_never_run() -> None:
    """Whatever the engine does: with an image a note, without one a fault."""
    remote = entry(BOTH, trusted=False)
    prepared = prepare(remote, {}, around(engine_in_reach=False, local_fallback=True))
    assert isinstance(prepared.launch, ContainerLaunch)
    assert "`process` is ignored" in prepared.notes[0]
    with pytest.raises(CatalogError, match="local process"):
        prepare(entry("{process: {command: [x]}}", trusted=False), {}, around())


def test_program_must_not_vanish() -> None:
    """A template without a value is no program."""
    with pytest.raises(CatalogError, match="names no program"):
        launched("{process: {command: ['{{fs.none}}']}}")


# --- remotes ----------------------------------------------------------------------------------------------------


def test_headers_are_filled_from_secrets() -> None:
    """A header whose variable has no value is left out, with a note."""
    prepared = launched(
        "{remote: {url: 'https://x.y/{{fs.path}}', headers: {Authorization: 'Bearer ${T}', X-Org: '$ORG'}},"
        " secrets: [{name: fs.token, env: T}]}",
        {"path": "mcp"},
    )
    assert prepared.launch == RemoteLaunch(
        url="https://x.y/mcp",
        transport="streamable-http",
        headers={"Authorization": "Bearer s3cret"},
    )
    assert prepared.notes == ("fs: the header X-Org is left out, ORG is not set",)


@pytest.mark.parametrize("url", ["ftp://x", "{{fs.none}}", "https://x y", "file:///etc/passwd"])
def test_remote_url_must_be_of_the_web(url: str) -> None:
    """After its templates are filled in."""
    with pytest.raises(CatalogError, match="http or https URL"):
        launched(f"{{remote: {{url: '{url}'}}}}")


@pytest.mark.parametrize("written", ["", "transport_type: http,", "transport_type: websocket,"])
def test_the_url_of_a_websocket_says_what_it_is(written: str) -> None:
    """Also where a template makes it one."""
    prepared = launched(
        f"{{remote: {{{written} url: '{{{{fs.where}}}}/ws'}}}}", {"where": "wss://x"}
    )
    assert prepared.launch == RemoteLaunch(url="wss://x/ws", transport="websocket")


def test_a_websocket_has_a_url_of_its_own() -> None:
    """The web's would be asked for something else."""
    with pytest.raises(CatalogError, match="ws or wss URL"):
        launched("{remote: {url: 'https://x', transport_type: websocket}}")


def test_header_with_a_line_break_is_refused_without_its_value() -> None:
    """Header injection; and the message holds no secret."""
    with pytest.raises(CatalogError, match="Authorization") as caught:
        launched(
            "{remote: {url: 'https://x', headers: {Authorization: '$T'}}, secrets: [{name: t, env: T}]}",
            secret=lambda _use, _origin: "abc\r\nX: y",
        )
    assert "abc" not in str(caught.value)


def test_origin_is_handed_to_the_secret_lookup() -> None:
    """Who asks decides what may be given."""
    asked: list[Origin] = []

    def secret(_use: object, origin: Origin) -> None:
        asked.append(origin)

    prepare(entry("{image: a, secrets: [{name: x}]}", trusted=False), {}, around(secret=secret))
    assert [origin.trusted for origin in asked] == [False]


def test_variables_that_double_each_other_come_to_an_end() -> None:
    """The entry is left out, before the forty of them would make a terabyte."""
    doubling = ", ".join(f"{{name: V{n + 1}, value: $V{n}$V{n}}}" for n in range(40))
    with pytest.raises(CatalogError, match="once its values are filled in"):
        launched(f"{{image: x, env: [{{name: V0, value: xx}}, {doubling}]}}")
