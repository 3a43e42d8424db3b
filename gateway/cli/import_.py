"""`import docker`: takes over what a Docker installation keeps in its database, as plain files of the home."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Final

from gateway.cli.grammar import Parser
from gateway.cli.output import add_format, fields, note, show
from gateway.cli.verbs import Invocation, Verb


def _define(parser: Parser) -> None:
    parser.value(
        "--from", metavar="FILE", help="the database (default: ~/.docker/mcp/mcp-toolkit.db)"
    )
    parser.value(
        "--profile",
        metavar="NAME",
        help='which profile to enable (default: "default", or the only one)',
    )
    parser.switch("--force", help="replace files that are there already")
    add_format(parser)


def _docker(arguments: Namespace, invocation: Invocation) -> int:
    # lazy: it brings SQLite and YAML
    from gateway.catalog.docker_import import DATABASE, import_docker  # noqa: PLC0415 - see above
    from gateway.secrets.store import SecretStore  # noqa: PLC0415 - see above

    home = invocation.home()
    named = getattr(arguments, "from")
    user = Path(invocation.environ.get("HOME") or Path.home())
    database = Path(named).expanduser() if named else user / ".docker" / "mcp" / DATABASE
    report = import_docker(
        home,
        database,
        profile=arguments.profile or None,
        known_secrets=SecretStore(home.secrets).names(),
        force=arguments.force,
    )
    text = fields(
        [
            ("profile", report.profile),
            ("enabled", ", ".join(report.servers)),
            ("written", "\n".join(map(str, report.written))),
        ]
    )
    plain = {
        "profile": report.profile,
        "servers": report.servers,
        "written": [str(path) for path in report.written],
        "missing_secrets": report.missing_secrets,
        "notes": report.notes,
    }
    show(plain, arguments, text=text)
    for sentence in report.notes:
        note(sentence)
    for name in report.missing_secrets:
        note(f"the secret {name} is missing: run `{invocation.name} secret set {name}`")
    return 0


VERBS: Final = (
    Verb(
        name="docker",
        summary="take over servers, settings and tool lists of Docker's MCP Toolkit; its database is only read",
        run=_docker,
        define=_define,
        examples=("", "--profile work --force", "--from /backup/mcp-toolkit.db"),
        notes="Secrets stay where they are, in Docker Desktop: the missing ones are named.\n",
    ),
)
