"""The official conformance suite, unmodified, from npm: how it is installed, run and read. Must not know what is tested."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from tests.clients import node_project

REVISIONS: Final = ("2025-11-25", "2026-07-28")
"""Those that the suite has requirements for: one of each era."""

_PACKAGE: Final = "@modelcontextprotocol/conformance"
_PACKAGES: Final = (f"{_PACKAGE}@0.2.0-alpha.12", "node@22.23.3")
"""An alpha without a tag has to be pinned. It needs a Node that machines do not have; the package `node` brings one."""
_RUN_S: Final = 600.0
"""For all server scenarios of a revision; each that hangs takes 30 s."""
_SCENARIO_MS: Final = 60_000
"""For one client scenario, in which a gateway starts and ends on busy cores."""
_STAMPED: Final = re.compile(r"^(?:server-)?(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$")


class Requirements(msgspec.Struct, frozen=True):
    """What a revision asks for: names of scenarios, in the suite's order. Others run as well, but do not count."""

    server: tuple[str, ...]
    client: tuple[str, ...]


class Scenario(msgspec.Struct, frozen=True):
    """What came of one scenario: numbers of checks, and what each that failed says."""

    name: str
    required: bool
    succeeded: int = 0
    failed: int = 0
    warned: int = 0
    complaints: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """As the suite counts: no check failed. One that left no results has not passed."""
        return not self.failed


class Report(msgspec.Struct, frozen=True):
    """All scenarios of one run."""

    revision: str
    scenarios: tuple[Scenario, ...]

    @property
    def required(self) -> tuple[Scenario, ...]:
        """Those that count."""
        return tuple(scenario for scenario in self.scenarios if scenario.required)

    @property
    def failing(self) -> tuple[Scenario, ...]:
        """The required ones that did not pass."""
        return tuple(scenario for scenario in self.required if not scenario.passed)


def requirements(revision: str) -> Requirements:
    """What the suite requires of a revision."""
    text = (_folder() / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8")
    document: Mapping[str, Any] = yaml.safe_load(text)
    return Requirements(tuple(document["server"]), tuple(document["client"]))


def judge_server(url: str, revision: str, folder: Path) -> Report:
    """Runs all server scenarios of a revision, one after the other.

    Args:
        url: of the endpoint; the suite wants `localhost` in it.
        revision: one of `REVISIONS`.
        folder: takes the suite's results and its output.
    """
    words = ["server", "--url", url, "--requirements", revision, "-o", str(folder)]
    _run(words, folder)
    return Report(revision, tuple(read_results(folder, requirements(revision).server)))


def judge_client(
    command: Sequence[str], revision: str, names: Sequence[str], folder: Path
) -> Report:
    """Runs client scenarios, one at a time: the suite's own way is all at once, and then slow clients fail.

    Args:
        command: starts the client; the suite adds the URL.
        revision: one of `REVISIONS`.
        names: the scenarios.
        folder: takes the suite's results and its output.
    """
    scenarios = []
    for name in names:
        words = ["client", "--command", shlex.join(command), "--scenario", name]
        options = ["--spec-version", revision, "--timeout", str(_SCENARIO_MS)]
        place = folder / name
        status = _run([*words, *options, "-o", str(place)], place)
        (scenario,) = read_results(place, [name])
        if status and scenario.passed:
            complaint = "the client did not exit with 0"
            scenario = msgspec.structs.replace(scenario, failed=1, complaints=(complaint,))
        scenarios.append(scenario)
    return Report(revision, tuple(scenarios))


def read_results(folder: Path, required: Sequence[str]) -> Iterator[Scenario]:
    """Required ones first, in the suite's order. One without results has failed: the suite broke off."""
    found = {
        stamped[1]: json.loads(file.read_bytes())
        for file in sorted(folder.glob("*/checks.json"))
        if (stamped := _STAMPED.match(_scenario_folder(file, folder)))
    }
    for name in required:
        if name in found:
            yield read_checks(name, found[name], required=True)
        else:
            yield Scenario(name, required=True, failed=1, complaints=("left no results",))
    for name in sorted(found.keys() - set(required)):
        yield read_checks(name, found[name], required=False)


def read_checks(name: str, checks: Sequence[Mapping[str, Any]], *, required: bool) -> Scenario:
    """A scenario from the checks that the suite has written down."""
    status = [str(check["status"]) for check in checks]
    failures = [check for check in checks if check["status"] == "FAILURE"]
    return Scenario(
        name,
        required,
        succeeded=status.count("SUCCESS"),
        failed=len(failures),
        warned=status.count("WARNING"),
        complaints=tuple(f"{check['id']}: {_complaint(check)}" for check in failures),
    )


def _scenario_folder(file: Path, folder: Path) -> str:
    return str(file.parent.relative_to(folder))


def _complaint(check: Mapping[str, Any]) -> str:
    """What a failed check says; some say it only in their details."""
    details = check.get("details")
    message = details.get("message") if isinstance(details, dict) else None
    return str(check.get("errorMessage") or message or check["description"])


def _folder() -> Path:
    return _modules() / _PACKAGE


def _modules() -> Path:
    return node_project(_PACKAGES) / "node_modules"


def _run(words: Sequence[str], folder: Path) -> int:
    """The exit status of the suite."""
    folder.mkdir(parents=True, exist_ok=True)
    node = _modules() / "node" / "bin" / "node"
    with (folder / "output.txt").open("ab") as output:
        done = subprocess.run(
            [str(node), str(_folder() / "dist" / "index.js"), *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NO_COLOR": "1"},
            timeout=_RUN_S,
            check=False,
        )
    return done.returncode
