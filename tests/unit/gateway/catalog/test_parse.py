"""Catalog text to entries: every field, and entries that are broken."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog.document import write_document
from gateway.catalog.model import ParsedCatalog, PoolPolicy, ResourceLimits, SecretUse, ServerEntry
from gateway.catalog.parse import parse_catalog
from tests.fakes.catalogs import catalog_text


def parse(text: str) -> ParsedCatalog:
    """The catalog in a text from a local file."""
    return parse_catalog(text.encode(), source="/home/me/c.yaml", trusted=True)


def entry(body: str) -> ServerEntry:
    """The one entry of a catalog, whose fields are given in YAML flow style."""
    parsed = parse(f"registry:\n  x: {body}\n")
    assert parsed.faults == ()
    return parsed.entries[0]


def reason(body: str) -> str:
    """Why the one entry of a catalog is broken."""
    parsed = parse(f"registry:\n  x: {body}\n")
    assert parsed.entries == ()
    assert parsed.faults[0].name == "x"
    assert parsed.faults[0].origin.line == 2
    return parsed.faults[0].reason


def test_every_field_of_a_container_entry_arrives() -> None:
    """The corpus entry uses all fields of the format and ours."""
    parsed = parse_catalog(catalog_text(1), source="c.yaml", trusted=True)
    (server,) = parsed.entries
    assert (parsed.name, parsed.display_name) == ("corpus", "Corpus")
    assert server.kind == "server"
    assert server.image.startswith("mcp/server-0@sha256:")
    assert server.command[2] == "--url={{server-0.url}}"
    assert server.volumes[0] == "cache:/cache"
    assert server.user == "{{server-0.user}}"
    assert [variable.name for variable in server.env] == ["URL", "COPY"]
    assert server.secrets == (SecretUse("server-0.token", "TOKEN", "A token", "abc"),)
    assert server.disable_network
    assert server.allow_hosts == ("api.example.com:443",)
    assert server.extra_hosts == ("db:10.0.0.1",)
    assert server.long_lived
    assert server.prefix == "pre"
    assert server.caps == ("SYS_PTRACE",)
    assert server.resources == ResourceLimits(512 * 1024 * 1024, 0.5, 100)
    assert server.pool == PoolPolicy("session", 1, 4, 30.0, None, 90.5)
    assert server.oauth_providers == ("github",)
    assert server.tool_names == tuple(f"tool_{number}" for number in range(6))
    assert msgspec.json.decode(server.config[0])["required"] == ["url"]
    assert msgspec.json.decode(server.metadata)["tags"] == ["a", "b"]
    assert server.title == "Server 0"
    assert server.icon
    assert server.readme
    assert server.origin.trusted


def test_corpus_parses_without_faults() -> None:
    """All four kinds, many times."""
    parsed = parse_catalog(catalog_text(40), source="c.yaml", trusted=True)
    assert parsed.faults == ()
    kinds = [server.kind for server in parsed.entries[:4]]
    assert kinds == ["server", "remote", "poci", "server"]
    assert parsed.entries[3].process is not None
    assert parsed.entries[2].poci[0].input_schema.startswith('{"type":"object"')


def test_json_catalog_parses_alike() -> None:
    """The same catalog as JSON gives the same entries."""
    from gateway.catalog.document import plain_value, read_document

    text = catalog_text(8)
    as_json = msgspec.json.encode(plain_value(read_document(text, "c")))

    def entries(content: bytes) -> list[dict[str, object]]:
        parsed = parse_catalog(content, source="c", trusted=True)
        assert parsed.faults == ()
        return [{**msgspec.to_builtins(item), "origin": None} for item in parsed.entries]

    assert entries(as_json) == entries(text)


@pytest.mark.parametrize(
    ("written", "transport"),
    [
        ("sse", "sse"),
        ("http", "streamable-http"),
        ("streaming", "streamable-http"),
        ("streamable", "streamable-http"),
        ("streamable-http", "streamable-http"),
        ("", "streamable-http"),
        ("websocket", "websocket"),
        ("WS", "websocket"),
    ],
)
def test_remote_transports(written: str, transport: str) -> None:
    """All spellings of the format."""
    remote = entry(f"{{remote: {{url: 'https://x.y', transport_type: '{written}'}}}}").remote
    assert remote is not None
    assert remote.transport == transport


def test_deprecated_sse_endpoint_is_a_remote() -> None:
    """The older field still works."""
    server = entry("{sseEndpoint: 'https://x.y/sse'}")
    assert server.kind == "remote"
    assert server.remote is not None
    assert server.remote.transport == "sse"


def test_content_decides_the_kind_not_type() -> None:
    """`type` may be absent or wrong."""
    assert entry("{image: a, type: poci}").kind == "server"
    assert entry("{type: server, remote: {url: 'https://x'}}").kind == "remote"
    assert entry("{process: {command: [x]}}").kind == "server"


def test_tolerated_oddities_of_real_catalogs() -> None:
    """Seen in the public catalog: null lists, env without value, config as one mapping, unknown keys."""
    server = entry(
        "{image: a, command: ~, env: [{name: A}, {name: b.c, example: x}], ports: [1],"
        " config: {name: x, type: object}, parameters: ~, volumes: '', tools: [plain, {name: t}]}"
    )
    assert [variable.value for variable in server.env] == ["", ""]
    assert len(server.config) == 1
    assert server.tool_names == ("plain", "t")
    assert server.command == ()


def test_env_may_be_a_mapping() -> None:
    """As compose files write it; numbers keep their text."""
    server = entry("{image: a, env: {A: 1.10, B: yes, C: }}")
    assert [(variable.name, variable.value) for variable in server.env] == [
        ("A", "1.10"),
        ("B", "yes"),
        ("C", ""),
    ]


def test_secret_env_defaults_to_its_name() -> None:
    """A secret without `env` arrives under its own name."""
    assert entry("{image: a, secrets: [{name: API_KEY}]}").secrets == (
        SecretUse("API_KEY", "API_KEY"),
    )


def test_caps_lose_their_prefix() -> None:
    """`CAP_NET_RAW` and `net_raw` are one capability."""
    assert entry("{image: a, caps: [CAP_NET_RAW, sys_time]}").caps == ("NET_RAW", "SYS_TIME")


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("5", "must be a mapping"),
        ("{}", "names no `image`"),
        ("{type: poci, tools: [{name: a}]}", "names no `image`"),
        ("{image: [a]}", "`image` must be text"),
        ("{image: --privileged}", "must not begin with '-'"),
        ("{image: 'a b'}", "white space"),
        ("{image: a, volumes: {x: y}}", "`volumes` must be a list"),
        ("{image: a, secrets: [{env: X}]}", "`secrets` has no `name`"),
        ("{image: a, secrets: [{name: x, env: 'A=B'}]}", "environment variable"),
        ("{image: a, env: [{value: X}]}", "environment variable"),
        ('{image: a, env: {"A\\0B": X}}', "environment variable"),
        ("{image: a, env: [x]}", "list of mappings"),
        ("{image: a, longLived: maybe}", "`longLived` must be true or false"),
        ("{image: a, pool: {isolation: alone}}", "pool.isolation"),
        ("{image: a, pool: {warm: -1}}", "`warm`"),
        ("{image: a, pool: {max: 0}}", "`max`"),
        ("{image: a, pool: {timeout_s: 0}}", "`timeout_s`"),
        ("{image: a, pool: {shared_network: maybe}}", "`shared_network`"),
        ("{image: a, pool: {retry: sometimes}}", "`retry`"),
        ("{image: a, resources: {limits: {memory: much}}}", "amount of memory"),
        ("{image: a, resources: {limits: {cpu: none}}}", "processors"),
        ("{image: a, resources: {limits: {pids: 0}}}", "`pids`"),
        ("{process: {command: []}}", "process.command"),
        ("{process: {cwd: /x}}", "process.command"),
        ("{remote: {url: 'https://x', transport_type: pigeon}}", "transport_type"),
        ("{tools: [{container: {image: a}}]}", "no `name`"),
        ("{tools: [{name: a, container: {image: -x}}]}", "no usable `container.image`"),
    ],
)
def test_broken_entry_says_what_is_wrong(body: str, part: str) -> None:
    """The reason names the field."""
    assert part in reason(body)


def test_broken_entry_costs_only_itself() -> None:
    """Its neighbours are usable; the fault has its line."""
    parsed = parse("registry:\n  a: {image: a}\n  b: {image: [1]}\n  c: {image: c}\n")
    assert [server.name for server in parsed.entries] == ["a", "c"]
    assert [(fault.name, fault.origin.line, fault.whole_file) for fault in parsed.faults] == [
        ("b", 3, False)
    ]
    assert str(parsed.faults[0]) == "b (/home/me/c.yaml:3): `image` must be text"


def test_second_entry_of_a_name_is_a_fault() -> None:
    """The first one counts."""
    parsed = parse("registry:\n  a: {image: first}\n  a: {image: second}\n")
    assert [server.image for server in parsed.entries] == ["first"]
    assert "line 2 counts" in parsed.faults[0].reason
    assert parsed.faults[0].origin.line == 3


@pytest.mark.parametrize("name", ["''", "' a'", '"a\\nb"'])
def test_names_must_be_visible(name: str) -> None:
    """A name is shown, logged and put into container names."""
    assert "name of a server" in parse(f"registry: {{{name}: {{image: a}}}}").faults[0].reason


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is empty"),
        ("[]", "no `registry:`"),
        ("version: 3", "no `registry:`"),
        ("registry: [a]", "`registry` must be a mapping"),
        ("registry: {}\nname: [a]", "`name` must be text"),
        ("registry: {", "not valid YAML"),
    ],
)
def test_file_that_is_no_catalog_is_one_fault(text: str, part: str) -> None:
    """It names the file."""
    parsed = parse(text)
    assert parsed.entries == ()
    (fault,) = parsed.faults
    assert fault.whole_file
    assert fault.name == "c.yaml"
    assert part in fault.reason


def test_empty_registry_is_a_catalog() -> None:
    """A catalog may have nothing in it yet."""
    parsed = parse("registry:\n")
    assert (parsed.name, parsed.entries, parsed.faults) == ("c", (), ())


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "url", "command", "limits", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
FIELDS = [
    "image",
    "command",
    "volumes",
    "env",
    "secrets",
    "tools",
    "config",
    "remote",
    "process",
    "pool",
    "resources",
    "oauth",
    "user",
    "caps",
    "metadata",
]


@given(st.dictionaries(st.sampled_from(FIELDS), VALUE, max_size=6))
def test_any_entry_is_used_or_named(body: dict[str, object]) -> None:
    """No shape of fields raises, and none is lost."""
    content = write_document({"registry": {"x": body, "good": {"image": "a"}}})
    parsed = parse_catalog(content, source="c.yaml", trusted=True)
    names = [server.name for server in parsed.entries] + [fault.name for fault in parsed.faults]
    assert sorted(names) == ["good", "x"]
