"""Fixtures of all tests: a home, the engine, the images; and the rule that nothing is left behind.

A test that asks for `engine`, or for something made from it, is an engine test: it runs where an engine answers or can be
started (root), and is reported as not run elsewhere, which is a failure under `CI=true`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import docker
import pytest

from gateway.home import Home
from gateway.runtimes.container_config import HOME_LABEL
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.telemetry.refusals import refusal_counts
from tests import engine as engines
from tests.images import echo, real

_GONE_S = 5.0
"""How long an engine may take for a removal that has been asked for."""
_POLL_S = 0.05


class _EngineState:
    """What came of looking for an engine, once per run."""

    missing: str = ""
    skipped: int = 0
    started: subprocess.Popen[bytes] | None = None


_state = _EngineState()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the engine tests, and takes them out where there is no engine."""
    for item in items:
        if "engine" in getattr(item, "fixturenames", ()):
            item.add_marker("engine")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Looks for the engine after `-m` and `-k` have chosen, and only if a chosen test needs it."""
    wanting = [item for item in session.items if item.get_closest_marker("engine")]
    if not wanting or session.config.option.collectonly:
        return
    try:
        _state.started = engines.require_engine()
    except engines.NoEngine as error:
        _state.missing = str(error)
        _state.skipped = len(wanting)
        session.items = [item for item in session.items if item not in wanting]
        session.config.hook.pytest_deselected(items=wanting)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that is marked with bounds has to see each of them counted."""
    bounds = {name for mark in item.iter_markers("refuses") for name in mark.args}
    before = refusal_counts()
    result = yield
    after = refusal_counts()
    assert [name for name in bounds if after.get(name, 0) <= before.get(name, 0)] == []
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says in one line what was not run, and why."""
    if _state.missing:
        terminalreporter.write_line(
            f"NOT RUN: {_state.skipped} tests that need a container engine: {_state.missing}",
            red=True,
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Ends the engine that was started for the tests; missing tests fail the run under CI."""
    if _state.started is not None:
        engines.stop(_state.started)
    if _state.missing and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def heeded_signals() -> None:
    """Signals mean what they mean to most programs.

    Started with `nohup`, or in the background of a script, the tests would ignore some, and so would whatever they start.
    """
    for number, action in (
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, action)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home of its own."""
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def engine() -> Endpoint:
    """The tests' engine."""
    return engines.endpoint()


@pytest.fixture(scope="session")
def docker_client(engine: Endpoint) -> Iterator[docker.APIClient]:
    """docker-py, to look at the engine from outside of what is tested."""
    with engines.client() as client:
        yield client


@pytest.fixture(scope="session")
def echo_image(docker_client: docker.APIClient, pytestconfig: pytest.Config) -> str:
    """The tag of the small C server's image (see tests/images/echo/server.c for its arguments)."""
    with _shown(pytestconfig):
        return echo.echo_image(docker_client)


@pytest.fixture(scope="session")
def shell_image(docker_client: docker.APIClient, pytestconfig: pytest.Config) -> str:
    """The tag of the same image with a shell in it: its containers are reached over named pipes."""
    with _shown(pytestconfig):
        return echo.echo_image(docker_client, "dash")


@pytest.fixture(scope="session")
def echo_binary() -> Path:
    """The small C server as a program of this machine."""
    return echo.echo_binary()


@pytest.fixture(scope="session")
def real_image(docker_client: docker.APIClient, pytestconfig: pytest.Config) -> str:
    """The tag of the image with published servers; commands in `tests.images.real.SERVERS`."""
    with _shown(pytestconfig):
        return real.real_image(docker_client)


@pytest.fixture(autouse=True)
def no_leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails an engine test after which a container of one of its homes exists.

    Only homes below the test's own folder count: the engine may be somebody's own, with a gateway at work.
    """
    if not request.node.get_closest_marker("engine"):
        yield
        return
    client = request.getfixturevalue("docker_client")
    temporary = request.getfixturevalue("tmp_path")
    yield
    deadline = time.monotonic() + _GONE_S
    while (left := _leftovers(client, temporary)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    for identity in left:
        client.remove_container(identity, force=True)
    assert not left, f"containers left behind: {list(left.values())}"


def _leftovers(client: docker.APIClient, temporary: Path) -> dict[str, str]:
    """Names by id."""
    homes = {path.read_text().strip() for path in temporary.glob("**/run/id")}
    found = client.containers(all=True, filters={"label": HOME_LABEL})
    return {item["Id"]: item["Names"][0] for item in found if item["Labels"][HOME_LABEL] in homes}


def _shown(config: pytest.Config):  # noqa: ANN202 # pytest's own type is private
    """Lets progress lines through pytest's capture: builds take minutes."""
    return config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled()
