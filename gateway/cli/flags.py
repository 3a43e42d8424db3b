"""Every flag of `gateway run`, and how flags and environment become `GatewayOptions`.

Must not know what the gateway does with them. docs/flags.md lists the same flags; a test compares the two.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Final, get_args

from gateway.catalog.model import Isolation
from gateway.cli.grammar import Parser
from gateway.cli.selection import define_selection, selection
from gateway.cli.values import cpus, duration, memory, port
from gateway.cli.verbs import Invocation
from gateway.errors import OptionError
from gateway.home import in_container
from gateway.limits import CONTAINER_CPUS, CONTAINER_MEMORY, DEFAULT_PORT, DRAIN_TIMEOUT_S
from gateway.options import GatewayOptions, LinkMode, NameMode, Transport

_TRANSPORTS: Final[Mapping[str, Transport]] = {
    "stdio": "stdio",
    "sse": "sse",
    "streaming": "streaming",
    "http": "streaming",
    "streamable": "streaming",
    "streamable-http": "streaming",
    "ws": "ws",
    "websocket": "ws",
}
_PROMISES: Final[Mapping[str, str]] = {
    "block_network": "leave it out, or set `disableNetwork: true` on entries that need no network",
    "block_secrets": "leave it out, or give it as --block-secrets=false",
    "verify_signatures": "leave it out, and name images by digest (name@sha256:…)",
    "use_embeddings": "leave it out",
    "interceptor": "leave it out",
    "oci_ref": "write the server's entry into a catalog file and name that with --catalog",
    "mcp_registry": "write the server's entry into a catalog file and name that with --catalog",
    "profile": "keep one home folder per profile and choose it with MCPGW_HOME",
}
"""Flags that would be a lie today, with what to do instead. Refused when given a value that asks for something."""


def define_run(parser: Parser) -> None:
    """Defines all flags of `gateway run`."""
    define_selection(parser)
    parser.switch(
        "--watch", default=True, help="take over changed files while running (default true)"
    )
    _define_serving(parser)
    _define_running(parser)
    _define_telling(parser)
    _define_accepted(parser)


def _define_serving(parser: Parser) -> None:
    parser.section("how to serve")
    parser.choice(
        "--transport",
        ("stdio", "sse", "streaming", "ws"),
        default="stdio",
        also=tuple(_TRANSPORTS),
        help="how clients connect (default stdio); the network forms serve the same endpoints",
    )
    parser.value(
        "--port",
        metavar="PORT",
        read=port,
        default=None,
        help=f"port of the network transports (default {DEFAULT_PORT}; 0: any free one)",
    )
    parser.value(
        "--host",
        metavar="ADDRESS",
        help="address to bind (default: loopback; in a container every interface)",
    )
    parser.many(
        "--allow-host",
        metavar="NAME",
        help="host names that clients may use for this gateway, besides localhost",
    )
    parser.many(
        "--allow-origin",
        metavar="URL",
        help="web origins that may call this gateway; also answers CORS for them",
    )
    parser.switch("--allow-unauthenticated", help="ask network clients for no token")
    parser.value("--tls-cert", metavar="FILE", help="certificate chain (PEM): serve HTTPS")
    parser.value("--tls-key", metavar="FILE", help="private key (PEM) of that certificate")
    parser.switch("--no-fast-lane", help="serve all of HTTP by hypercorn, without the short way")
    parser.choice(
        "--names",
        get_args(NameMode),
        default="auto",
        help="tool names: prefix the server's name where two collide, always, or never (default auto)",
    )
    parser.switch(
        "--schema-compat",
        help="show tools with simple schemas, for clients that choke on $ref and its like",
    )
    parser.switch(
        "--session-store",
        help="keep sessions of Streamable HTTP in the home, so that clients go on after a restart",
    )
    parser.value(
        "--drain-timeout",
        metavar="TIME",
        read=duration,
        default=DRAIN_TIMEOUT_S,
        help=f"how long calls may finish after SIGTERM, like 10s or 2m (default {DRAIN_TIMEOUT_S:g}s)",
    )


def _define_running(parser: Parser) -> None:
    parser.section("how to run servers")
    parser.value(
        "--cpus",
        metavar="N",
        read=cpus,
        default=None,
        help=f"processors per container (default {CONTAINER_CPUS:g})",
    )
    parser.value(
        "--memory",
        metavar="SIZE",
        read=memory,
        default=None,
        help=f"memory per container, like 512M (default {CONTAINER_MEMORY})",
    )
    parser.value(
        "--memory-budget",
        metavar="SIZE",
        read=memory,
        default=None,
        help="memory of all containers together, like 4G: past it idle ones are stopped (default: no bound)",
    )
    parser.switch(
        "--long-lived", help="keep each server of a client's session for the whole session"
    )
    parser.switch(
        "--retry",
        help="send a call again, once, whose outcome is unknown, if its tool is annotated read-only or idempotent",
    )
    parser.choice(
        "--isolation",
        get_args(Isolation),
        default=None,
        help="who shares a container: one client session, one token, nobody, everybody",
    )
    parser.choice(
        "--link",
        get_args(LinkMode),
        default="auto",
        help="how to reach containers: named pipes where they work, or one of the two (default auto)",
    )
    parser.switch(
        "--static", help="start no containers: servers are reached by their names on the network"
    )


def _define_telling(parser: Parser) -> None:
    parser.section("what to say")
    parser.switch(
        "--log-calls",
        default=True,
        help="log each call: its tool, duration and outcome (default true)",
    )
    parser.switch("--verbose", default=None, help="log what servers write to stderr")
    parser.value("--log", metavar="FILE", help="log to this file as well")
    parser.switch("--dry-run", help="show what would be served, and exit")


def _define_accepted(parser: Parser) -> None:
    """Flags of Docker's gateway that are read so that nobody's entry breaks."""
    parser.section("accepted for entries made for Docker's gateway")
    parser.switch("--block-network", help="not built yet: refused unless false")
    parser.switch("--block-secrets", help="not built yet: refused unless false")
    parser.switch("--verify-signatures", help="not built yet: refused unless false")
    parser.many("--interceptor", metavar="RULE", help="not built yet: refused")
    parser.many("--oci-ref", metavar="REF", help="not built yet: refused")
    parser.many("--mcp-registry", metavar="URL", help="not built yet: refused")
    parser.value("--profile", metavar="NAME", help="not built yet: refused")
    parser.switch("--tool-name-prefix", help="the same as --names prefix")
    parser.switch("--debug-dns", help="changes nothing: there is no DNS forwarder")
    parser.value("--session", metavar="NAME", help="changes nothing")
    parser.switch("--central", help="changes nothing")
    parser.switch(
        "--use-configured-catalogs", default=True, help="changes nothing: they are always used"
    )
    parser.switch("--use-embeddings", help="not built yet: refused unless false")


def read_run(arguments: Namespace, invocation: Invocation) -> GatewayOptions:
    """The options of one `gateway run`.

    Raises:
        OptionError: a flag contradicts another, or promises what is not built yet.
    """
    _refuse_promises(arguments)
    _check_serving(arguments)
    inside = in_container(invocation.environ)
    return GatewayOptions(
        **selection(arguments, invocation),
        watch=arguments.watch,
        transport=_TRANSPORTS[arguments.transport],
        host=arguments.host,
        port=DEFAULT_PORT if arguments.port is None else arguments.port,
        allow_hosts=tuple(arguments.allow_host),
        allow_origins=tuple(arguments.allow_origin),
        allow_unauthenticated=arguments.allow_unauthenticated,
        tls_cert=_readable(arguments.tls_cert, "--tls-cert"),
        tls_key=_readable(arguments.tls_key, "--tls-key"),
        fast_lane=not arguments.no_fast_lane,
        names="prefix" if arguments.tool_name_prefix else arguments.names,
        schema_compat=arguments.schema_compat,
        session_store=arguments.session_store,
        drain_timeout_s=arguments.drain_timeout,
        cpus=arguments.cpus,
        memory_bytes=arguments.memory,
        memory_budget_bytes=arguments.memory_budget,
        long_lived=arguments.long_lived,
        retry=arguments.retry,
        link=arguments.link,
        static=arguments.static,
        isolation=arguments.isolation,
        verbose=inside if arguments.verbose is None else arguments.verbose,
        log_calls=arguments.log_calls,
        log_file=arguments.log,
        dry_run=arguments.dry_run,
    )


def _refuse_promises(arguments: Namespace) -> None:
    """Refuses what is not built, rather than run without the protection that was asked for."""
    for dest, instead in _PROMISES.items():
        if getattr(arguments, dest):
            raise OptionError(f"--{dest.replace('_', '-')} is not built yet; {instead}")


def _check_serving(arguments: Namespace) -> None:
    """Refuses flags that contradict each other."""
    if arguments.port is not None and arguments.transport == "stdio":
        raise OptionError(
            "--port needs a network transport; add --transport sse or --transport streaming"
        )
    if bool(arguments.tls_cert) != bool(arguments.tls_key):
        missing = "--tls-key" if arguments.tls_cert else "--tls-cert"
        raise OptionError(f"HTTPS needs a certificate and its key; {missing} is missing")


def _readable(path: str, flag: str) -> str:
    """The absolute path of a file that a flag names; "" stays "".

    Raises:
        OptionError: there is no such file.
    """
    if not path:
        return ""
    absolute = Path(path).expanduser().absolute()
    if not absolute.is_file():
        raise OptionError(f"{flag}: there is no file {absolute}; check the path")
    return str(absolute)
