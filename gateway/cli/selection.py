"""The flags that say what is served: `gateway run` has them, and each command that looks at the same servers.

Must not know how anything is served.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any, Final

from gateway.cli.grammar import Parser
from gateway.cli.values import debug_set
from gateway.cli.verbs import Invocation
from gateway.errors import OptionError
from gateway.home import in_container, locate_home
from gateway.options import GatewayOptions

_STARTER: Final = "starter"
"""What `--catalog` calls the built-in catalog (gateway.catalog.sources, which brings more imports than a name is worth)."""


def define_selection(parser: Parser) -> None:
    """Defines the flags that say what is served."""
    parser.section("what to serve")
    parser.many(
        "--catalog",
        metavar="FILE|NAME|URL",
        help="catalogs to read, later ones win (default: all of the home)",
    )
    parser.many(
        "--additional-catalog", metavar="FILE|NAME|URL", help="more catalogs, on top of the others"
    )
    parser.many(
        "--registry",
        metavar="FILE",
        help="files that enable servers (default: registry.yaml of the home)",
    )
    parser.many("--additional-registry", metavar="FILE", help="more of them")
    parser.many(
        "--config",
        metavar="FILE",
        help="files with the settings of servers (default: config.yaml of the home)",
    )
    parser.many("--additional-config", metavar="FILE", help="more of them, on top")
    parser.many(
        "--tools-config",
        metavar="FILE",
        help="files that list each server's tools (default: tools.yaml of the home)",
    )
    parser.many("--additional-tools-config", metavar="FILE", help="more of them, on top")
    parser.many("--servers", metavar="NAME", help="exactly these servers, whatever is enabled")
    parser.switch("--enable-all-servers", help="every server of the catalogs")
    parser.many(
        "--tools",
        metavar="PATTERN",
        help="tools to show: *, tool, server:tool, server:* (instead of tools.yaml)",
    )
    parser.value(
        "--secrets",
        metavar="PATHS",
        help="where secrets are: .env files and folders, with colons between (default: /run/secrets)",
    )
    parser.switch(
        "--starter",
        help="the built-in starter catalog; builds its images, or runs it as local processes without an engine",
    )


def read_selection(arguments: Namespace, invocation: Invocation) -> GatewayOptions:
    """The options of a command that looks at what would be served, or calls it, from the terminal.

    Raises:
        OptionError: a flag contradicts another.
    """
    return GatewayOptions(**selection(arguments, invocation), watch=False)


def debug_wanted(arguments: Namespace, environ: Mapping[str, str]) -> bool:
    """Whether details are logged: `--debug`, or DEBUG in the environment."""
    return bool(arguments.debug) or debug_set(environ)


def selection(arguments: Namespace, invocation: Invocation) -> dict[str, Any]:
    """The fields of `GatewayOptions` that every command fills alike."""
    if arguments.servers and arguments.enable_all_servers:
        raise OptionError("--servers and --enable-all-servers exclude each other; leave one out")
    starter = (_STARTER,) if arguments.starter else ()
    return {
        "home": str(locate_home(invocation.environ)),
        "catalogs": (*starter, *arguments.catalog),
        "additional_catalogs": tuple(arguments.additional_catalog),
        "registries": tuple(arguments.registry),
        "additional_registries": tuple(arguments.additional_registry),
        "configs": tuple(arguments.config),
        "additional_configs": tuple(arguments.additional_config),
        "tools_configs": tuple(arguments.tools_config),
        "additional_tools_configs": tuple(arguments.additional_tools_config),
        "servers": tuple(arguments.servers),
        "enable_all_servers": arguments.enable_all_servers
        or (arguments.starter and not arguments.servers),
        "tools": tuple(arguments.tools),
        "secrets": arguments.secrets,
        "local_fallback": arguments.starter,
        "debug": debug_wanted(arguments, invocation.environ),
        "in_container": in_container(invocation.environ),
    }
