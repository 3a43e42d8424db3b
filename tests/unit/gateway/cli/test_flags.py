"""The flags of `gateway run`."""

from pathlib import Path

import pytest

from gateway.catalog.sources import STARTER
from gateway.cli.flags import define_run, read_run
from gateway.cli.grammar import Parser
from gateway.cli.verbs import Invocation
from gateway.errors import OptionError
from gateway.options import GatewayOptions

OUTSIDE = {"HOME": "/home/someone"}
INSIDE = {"DOCKER_MCP_IN_CONTAINER": "1"}


def options(*words: str, environ: dict[str, str] | None = None) -> GatewayOptions:
    """Reads flags as `gateway run` does."""
    parser = Parser("mcpgw gateway run", "Serves.")
    define_run(parser)
    invocation = Invocation(environ=environ if environ is not None else OUTSIDE, words=words)
    return read_run(parser.read(words), invocation)


def test_nothing_said_means_the_documented_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without flags: stdio, the home of the user, watching, calls logged."""
    monkeypatch.setattr("gateway.cli.flags.in_container", lambda _: False)
    monkeypatch.setattr("gateway.cli.selection.in_container", lambda _: False)
    monkeypatch.setattr("gateway.home.in_container", lambda _: False)
    assert options() == GatewayOptions(home="/home/someone/.docker/mcp")


def test_container_defaults() -> None:
    """In a container the home is /mcp, and what servers say is logged."""
    found = options(environ=INSIDE)
    assert (found.home, found.in_container, found.verbose) == ("/mcp", True, True)
    assert options("--verbose=false", environ=INSIDE).verbose is False


def test_home_variable_wins() -> None:
    """MCPGW_HOME names the home everywhere."""
    assert options(environ={**INSIDE, "MCPGW_HOME": "/srv/mcp"}).home == "/srv/mcp"


@pytest.mark.parametrize(
    ("word", "transport"),
    [
        ("stdio", "stdio"), ("sse", "sse"), ("streaming", "streaming"),
        ("http", "streaming"), ("streamable", "streaming"), ("streamable-http", "streaming"),
        ("ws", "ws"), ("websocket", "ws"),
    ],
)  # fmt: skip
def test_transport_aliases(word: str, transport: str) -> None:
    """All of Docker's names of the transports are known."""
    assert options("--transport", word).transport == transport


def test_every_flag_reaches_its_option(tmp_path: Path) -> None:
    """Each flag sets the option of its name."""
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("pem")
    found = options(
        "--catalog", "a,b", "--additional-catalog=c", "--registry=r", "--additional-registry=r2",
        "--config=f", "--additional-config=f2", "--tools-config=t", "--additional-tools-config=t2",
        "--servers", "x,y", "--tools", "x:*", "--secrets", "docker-desktop:/run/s", "--watch=false",
        "--transport=sse", "--port=9", "--host=::1", "--allow-host=h", "--allow-origin=o",
        "--allow-unauthenticated", f"--tls-cert={tmp_path}/cert.pem", f"--tls-key={tmp_path}/key.pem",
        "--names=prefix", "--schema-compat", "--drain-timeout=3s", "--cpus=2", "--memory=1G", "--long-lived",
        "--isolation=call", "--retry", "--link=attach", "--static", "--log-calls=false", "--verbose", "--log=l", "--dry-run",
        "--debug",
    )  # fmt: skip
    assert found == GatewayOptions(
        home=found.home,
        in_container=found.in_container,
        catalogs=("a", "b"),
        additional_catalogs=("c",),
        registries=("r",),
        additional_registries=("r2",),
        configs=("f",),
        additional_configs=("f2",),
        tools_configs=("t",),
        additional_tools_configs=("t2",),
        servers=("x", "y"),
        tools=("x:*",),
        secrets="docker-desktop:/run/s",
        watch=False,
        transport="sse",
        port=9,
        host="::1",
        allow_hosts=("h",),
        allow_origins=("o",),
        allow_unauthenticated=True,
        tls_cert=str(tmp_path / "cert.pem"),
        tls_key=str(tmp_path / "key.pem"),
        names="prefix",
        schema_compat=True,
        drain_timeout_s=3.0,
        cpus=2.0,
        memory_bytes=1024**3,
        long_lived=True,
        isolation="call",
        retry=True,
        link="attach",
        static=True,
        log_calls=False,
        verbose=True,
        log_file="l",
        dry_run=True,
        debug=True,
    )


@pytest.mark.parametrize(
    ("value", "debug"), [("1", True), ("yes", True), ("app:*", True), ("0", False), ("", False)]
)
def test_debug_variable(value: str, debug: object) -> None:
    """DEBUG asks for details unless it says no."""
    assert options(environ={**OUTSIDE, "DEBUG": value}).debug is debug


@pytest.mark.parametrize(
    "flag",
    [
        "--block-network", "--block-secrets", "--verify-signatures", "--interceptor=before:exec:x",
        "--oci-ref=a/b", "--mcp-registry=https://r.example", "--profile=p", "--use-embeddings",
    ],
)  # fmt: skip
def test_promises_that_are_not_built_are_refused(flag: str) -> None:
    """A flag that asks for what is not built stops the start, and says what to do."""
    with pytest.raises(OptionError, match=f"{flag.partition('=')[0]} is not built yet; "):
        options(flag)


@pytest.mark.parametrize(
    "flag",
    [
        "--block-network=false", "--block-secrets=false", "--verify-signatures=false",
        "--interceptor=", "--oci-ref=", "--mcp-registry=", "--profile=", "--debug-dns",
        "--session=x", "--central", "--use-configured-catalogs",
    ],
)  # fmt: skip
def test_flags_that_ask_for_nothing_are_accepted(flag: str) -> None:
    """Entries made for Docker's gateway keep working where they ask for nothing that is missing."""
    assert options(flag) == options()


def test_docker_spelling_of_prefixes() -> None:
    """`--tool-name-prefix` is `--names prefix`."""
    assert options("--tool-name-prefix").names == "prefix"


def test_starter_means_its_catalog_and_all_its_servers() -> None:
    """`--starter` serves the built-in catalog whole, as processes where there is no engine."""
    found = options("--starter")
    assert found.catalogs == (STARTER,)
    assert (found.enable_all_servers, found.local_fallback) == (True, True)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--servers=a", "--enable-all-servers"], "exclude each other"),
        (["--port=1"], "--port needs a network transport"),
        (["--tls-cert=/nowhere.pem"], "--tls-key is missing"),
        (["--tls-key=/nowhere.pem"], "--tls-cert is missing"),
        (["--tls-cert=/nowhere.pem", "--tls-key=/nowhere.pem"], "there is no file /nowhere.pem"),
    ],
)
def test_contradictions_are_named(words: list[str], part: str) -> None:
    """Flags that cannot go together are refused in one sentence."""
    with pytest.raises(OptionError, match=part):
        options(*words)
