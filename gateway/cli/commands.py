"""The table of commands, and of those that Docker's gateway has and this one has not. Must not import any command.

A new command is one file with a `VERBS` table and one row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.cli.verbs import Command

COMMANDS: Final[Mapping[str, Command]] = {
    "gateway": Command("gateway.cli.gateway_run", "run the gateway"),
    "server": Command("gateway.cli.server", "list, add, enable, disable and inspect servers"),
    "catalog": Command("gateway.cli.catalog", "show which catalogs are in use and what they hold"),
    "secret": Command("gateway.cli.secret", "keep API keys for servers; values are never printed"),
    "config": Command("gateway.cli.config", "read and change the settings of servers"),
    "tools": Command("gateway.cli.tools", "list, inspect and call tools as a client would"),
    "pool": Command("gateway.cli.pool", "show how well running gateways keep servers ready"),
    "ps": Command("gateway.cli.ps", "show what lives in running gateways"),
    "token": Command("gateway.cli.token", "show the bearer token of the network transports"),
    "import": Command("gateway.cli.import_", "take over the settings of a Docker installation"),
    "doctor": Command("gateway.cli.doctor", "check the machine; each failure comes with its fix"),
    "version": Command("gateway.cli.version", "print the version"),
}

ALIASES: Final[Mapping[str, str]] = {
    "catalogs": "catalog",
    "catalog-next": "catalog",
    "servers": "server",
    "secrets": "secret",
    "tool": "tools",
}
"""Other spellings of commands; the first two are Docker's."""

NOT_BUILT: Final[Mapping[tuple[str, ...], str]] = {
    ("profile",): "keep one home folder per profile and choose it with MCPGW_HOME",
    ("template",): "enable servers with `server enable NAME`",
    (
        "client",
    ): "`gateway run --transport streaming` prints an entry to paste into a client's file",
    ("oauth",): "put the server's access token into a secret with `secret set NAME`",
    ("feature",): "every feature that exists is on",
    ("policy",): "choose what clients see with `server enable` and `gateway run --tools`",
    ("registry",): "write the entry into a catalog file and run `server add FILE`",
    ("server", "init"): "docs/custom-servers.md shows the few files that a server needs",
    ("server", "reset"): "disable servers one by one with `server disable NAME`",
    ("catalog", "add"): "use `server add FILE`",
    ("catalog", "bootstrap"): "use `server add FILE`",
    ("catalog", "create"): "write a YAML file into the home's catalogs folder",
    ("catalog", "export"): "copy the file that `catalog ls` names",
    ("catalog", "fork"): "copy the file that `catalog ls` names",
    ("catalog", "import"): "copy the file into the home's catalogs folder, or `import docker`",
    ("catalog", "init"): "the built-in starter catalog needs none",
    ("catalog", "pull"): "name an https URL with `gateway run --catalog URL`",
    ("catalog", "push"): "publish the YAML file at an https URL",
    ("catalog", "remove"): "delete the file that `catalog ls` names",
    ("catalog", "reset"): "delete the files that `catalog ls` names",
    ("catalog", "rm"): "delete the file that `catalog ls` names",
    ("catalog", "server"): "use `catalog show NAME` and `server inspect NAME`",
    ("catalog", "tag"): "copy the file that `catalog ls` names",
    ("catalog", "update"): "a URL is read anew at a start, once its copy is five minutes old",
    ("config", "dump"): "use `config get`",
    ("config", "read"): "use `config get`",
    ("config", "reset"): "use `config unset SERVER`",
    ("config", "restore"): "copy the file back to config.yaml in the home",
    ("config", "write"): "use `config set SERVER.KEY=VALUE`, or edit config.yaml in the home",
    ("secret", "export"): "secrets are never printed",
    ("tools", "disable"): "list the tools to keep in tools.yaml in the home",
    ("tools", "enable"): "list the tools to keep in tools.yaml in the home",
}
"""What people who come from Docker's gateway will type, with what does the job here today."""
