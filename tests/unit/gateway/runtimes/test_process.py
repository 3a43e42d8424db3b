"""gateway/runtimes/process*.py: local processes, their groups, and what is written down of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trio

from gateway import limits
from gateway.catalog.model import ProcessLaunch
from gateway.errors import StartFailed
from gateway.home import Home
from gateway.ports import StartRequest
from gateway.runtimes import process_table
from gateway.runtimes.ownership import InstanceLock
from gateway.runtimes.process import ProcessLink, ProcessRuntime
from gateway.runtimes.process_records import ProcessRecord, record_process, sweep_processes
from gateway.runtimes.process_table import group_lives, process_exists, process_space, start_time
from tests.cancelling import CancelAtStep

pytestmark = pytest.mark.slow

# A server whose child outlives it, unless somebody sees to it; prints the child's id.
WITH_GRANDCHILD = (
    "import subprocess, sys\n"
    "child = subprocess.Popen(['sleep', '60'])\n"
    "print(child.pid, flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture
def lock(home: Home) -> Iterator[InstanceLock]:
    """This gateway's lock."""
    lock = InstanceLock.take(home)
    yield lock
    lock.release()


@pytest.fixture
def runtime(home: Home, lock: InstanceLock) -> ProcessRuntime:
    """A runtime in a home of its own."""
    return ProcessRuntime(home, lock.instance_id)


def request(*command: str, **launch: object) -> StartRequest:
    """A start of a local process."""
    return StartRequest(
        server="local", launch=ProcessLaunch(command=command, **launch), spec_hash="s"
    )


async def read_end(link: ProcessLink) -> bytes:
    """All of stdout."""
    received = b""
    while chunk := await link.receive_some():
        received += chunk
    return received


async def test_only_some_variables_are_inherited(home: Home, lock: InstanceLock) -> None:
    """Our environment holds other servers' secrets: a server gets what every program expects, and its own."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": "/h",
        "LC_ALL": "C",
        "MCP_GATEWAY_AUTH_TOKEN": "secret",
    }
    runtime = ProcessRuntime(home, lock.instance_id, environ=environ)
    link = await runtime.start(request("env", env={"MINE": "1", "HOME": "/mine"}))
    seen = dict(line.split("=", 1) for line in (await read_end(link)).decode().splitlines())
    await link.aclose()
    assert seen == {"PATH": environ["PATH"], "HOME": "/mine", "LC_ALL": "C", "MINE": "1"}


async def test_working_directory(runtime: ProcessRuntime, tmp_path: Path) -> None:
    """`cwd` is where the server starts."""
    link = await runtime.start(request("pwd", cwd=str(tmp_path)))
    assert await read_end(link) == f"{tmp_path}\n".encode()
    await link.aclose()


async def test_a_program_that_is_missing(runtime: ProcessRuntime, home: Home) -> None:
    """The server, the program, and what to do."""
    with pytest.raises(
        StartFailed, match=r"local could not be started .*: install npx-not-here, or"
    ):
        await runtime.start(request("npx-not-here", "-y"))
    assert not list(home.run.glob("*.process"))


async def test_a_folder_that_is_missing(runtime: ProcessRuntime, tmp_path: Path) -> None:
    """The program is there, and is not to be installed again."""
    gone = str(tmp_path / "gone")
    with pytest.raises(StartFailed, match=f"make the folder {gone}, or correct `process.cwd`"):
        await runtime.start(request("pwd", cwd=gone))


@pytest.mark.parametrize("how", ["aclose", "kill"])
async def test_grandchildren_end_too(how: str, runtime: ProcessRuntime) -> None:
    """Npx starts node, uvx starts python: the whole group goes, though only its leader saw the end of its input."""
    link = await runtime.start(request(sys.executable, "-c", WITH_GRANDCHILD))
    child = int(await link.receive_some())
    assert process_exists(child)
    await getattr(link, how)()
    await no_longer_runs(child)


async def no_longer_runs(pid: int) -> None:
    """Waits for the end of a process that is not our child: nothing but looking tells."""
    with trio.fail_after(2):
        while _runs(pid):  # noqa: ASYNC110 # as the docstring says
            await trio.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether it lives; an orphan that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_server_that_ignores_all_is_killed_in_time(
    runtime: ProcessRuntime, echo_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both graces, then KILL, and no more than half a second on top."""
    monkeypatch.setattr(limits, "STOP_GRACE_S", 0.2)
    link = await runtime.start(request(str(echo_binary), "--ignore-eof", "--ignore-term"))
    start = trio.current_time()
    await link.aclose()
    assert 0.4 <= trio.current_time() - start <= 0.9
    assert link.exit_status() == 128 + signal.SIGKILL


async def test_term_is_tried_before(
    runtime: ProcessRuntime, echo_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that only ignores the end of its input gets the chance to clean up."""
    monkeypatch.setattr(limits, "STOP_GRACE_S", 0.2)
    link = await runtime.start(request(str(echo_binary), "--ignore-eof"))
    await link.aclose()
    assert link.exit_status() == 128 + signal.SIGTERM


async def test_a_child_that_holds_the_output_is_no_sign_of_life(runtime: ProcessRuntime) -> None:
    """The leader has ended, its child still holds stdout: closing does not wait for that."""
    script = "sleep 60 & exit 0"
    link = await runtime.start(request("sh", "-c", script))
    with trio.fail_after(1.5):
        await link.aclose()


async def test_the_end_is_seen_though_a_child_holds_the_output(runtime: ProcessRuntime) -> None:
    """What the leader has written is read to its end; its child goes with the group."""
    script = "sleep 60 & echo $!; exit 3"
    link = await runtime.start(request("sh", "-c", script))
    with trio.fail_after(1.5):
        child = int(await read_end(link))
    await link.learn_ending()
    assert link.exit_status() == 3
    await link.aclose()
    await no_longer_runs(child)


async def test_all_that_was_written_before_the_end_is_read(runtime: ProcessRuntime) -> None:
    """As much as a pipe can hold, also where the end comes first."""
    script = "import sys, os; os.write(1, b'x' * 65536); os._exit(0)"
    link = await runtime.start(request(sys.executable, "-c", script))
    await trio.sleep(0.3)
    assert len(await read_end(link)) == 65536
    await link.aclose()


async def test_talkative_stderr_blocks_nothing(runtime: ProcessRuntime) -> None:
    """A megabyte on stderr before the first word on stdout."""
    script = "import sys; sys.stderr.write('x' * 2**20); sys.stderr.flush(); print('done')"
    link = await runtime.start(request(sys.executable, "-c", script))
    assert await read_end(link) == b"done\n"
    await link.learn_ending()
    assert link.exit_status() == 0
    assert len(link.stderr_tail()) == limits.STDERR_TAIL_BYTES
    await link.aclose()


async def test_last_words_are_read(runtime: ProcessRuntime) -> None:
    """What is on stderr when stdout ends is mostly the reason, and is there when the end is seen."""
    link = await runtime.start(request("sh", "-c", "echo why >&2; exit 3"))
    assert await read_end(link) == b""
    assert link.stderr_tail() == "why\n"
    await link.learn_ending()
    assert link.exit_status() == 3
    await link.aclose()


async def test_cancelled_at_every_step_of_a_start(
    runtime: ProcessRuntime, home: Home, echo_binary: Path
) -> None:
    """Wherever a start is cancelled, either the link is handed over or nothing is left."""
    for step in range(1, 40):
        link: ProcessLink | None = None
        with CancelAtStep(step) as cancelling:
            link = await runtime.start(request(str(echo_binary)))
        if link is not None:
            await link.kill()
        assert not list(home.run.glob("*.process"))
        if not cancelling.reached:
            return
    pytest.fail("a start takes fewer steps than that")


async def test_a_home_that_cannot_be_written(
    runtime: ProcessRuntime, home: Home, monkeypatch: pytest.MonkeyPatch, echo_binary: Path
) -> None:
    """A process that could not be written down is not kept."""
    monkeypatch.setattr(runtime, "_home", Home(Path("/proc/none")))
    with pytest.raises(StartFailed, match="make the home writable"):
        await runtime.start(request(str(echo_binary)))


async def test_the_next_start_ends_what_a_killed_gateway_left(home: Home) -> None:
    """The group of a gateway that got SIGKILL is ended by the sweep, a grandchild included."""
    gateway = (
        "import sys, trio\n"
        "from pathlib import Path\n"
        "from gateway.catalog.model import ProcessLaunch\n"
        "from gateway.home import Home\n"
        "from gateway.ports import StartRequest\n"
        "from gateway.runtimes.ownership import InstanceLock\n"
        "from gateway.runtimes.process import ProcessRuntime\n"
        "async def main():\n"
        "    home = Home(Path(sys.argv[1]))\n"
        "    lock = InstanceLock.take(home)\n"
        # Neither ends with its input, as a badly behaved server does not.
        "    launch = ProcessLaunch(command=('sh', '-c', 'sleep 60 & echo $!; exec sleep 60'))\n"
        "    runtime = ProcessRuntime(home, lock.instance_id)\n"
        "    link = await runtime.start(StartRequest(server='s', launch=launch, spec_hash=''))\n"
        "    print(link._process.pid, (await link.receive_some()).decode(), flush=True)\n"
        "    await trio.sleep_forever()\n"
        "trio.run(main)\n"
    )
    with subprocess.Popen(  # noqa: ASYNC220 # it must not be trio's child
        [sys.executable, "-c", gateway, str(home.root)], stdout=subprocess.PIPE
    ) as process:
        leader, child = (int(word) for word in process.stdout.readline().split())
        assert await sweep_processes(home) == []
        assert _runs(leader)
        process.kill()
        process.wait()
    assert await sweep_processes(home) == ["s"]
    await no_longer_runs(leader)
    await no_longer_runs(child)
    assert not list(home.run.glob("*.process"))


async def test_the_sweep_knows_strangers(home: Home) -> None:
    """A record whose process id was used again, or that is of another boot, ends nobody."""
    with subprocess.Popen(  # noqa: ASYNC220 # it must not be trio's child
        ["sleep", "60"], start_new_session=True
    ) as stranger:
        dead = "0" * 32
        right = record_process(home, dead, "s", stranger.pid)
        record = msgspec.json.decode(right.read_bytes(), type=ProcessRecord)
        for changes in ({"start": "1"}, {"space": "another boot"}):
            altered = msgspec.structs.replace(record, **changes)
            right.write_bytes(msgspec.json.encode(altered))
            assert await sweep_processes(home) == []
            assert not right.exists()
        right.write_text("{")
        assert await sweep_processes(home) == []
        assert stranger.poll() is None
        stranger.kill()


def test_the_process_table() -> None:
    """A process has a start and a group while it lives, and neither afterwards."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        assert start_time(process.pid) == start_time(process.pid) != ""
        assert group_lives(process.pid)
        assert process_exists(process.pid)
        process.kill()
    assert start_time(process.pid) == ""
    assert not group_lives(process.pid)
    assert not process_exists(process.pid)
    assert process_space() == process_space()


def test_without_a_proc_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS: `ps` tells the start, and a group that has anything in it lives."""
    monkeypatch.setattr(process_table, "_HAS_PROC", False)
    monkeypatch.setattr(process_table, "_PROC", Path("/no/proc"))
    assert process_space() == ""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        assert start_time(process.pid) != ""
        assert group_lives(process.pid)
        process.kill()
    assert start_time(process.pid) == ""
    assert not group_lives(process.pid)


async def test_repr_says_how_far_it_is(runtime: ProcessRuntime, echo_binary: Path) -> None:
    """The process and the state, for logs and debuggers."""
    link = await runtime.start(request(str(echo_binary)))
    assert repr(link) == f"<ProcessLink {link.name} open>"
    await link.aclose()
    assert repr(link) == f"<ProcessLink {link.name} closed>"


@pytest.mark.parametrize(
    "launch",
    [
        {"env": {"TOKEN": "top\0secret"}},
        {"env": {"A=B": "secret"}},
        {"cwd": "/secret\0"},
    ],
    ids=["value", "name", "folder"],
)
async def test_what_no_program_can_be_given_is_an_error_without_it(
    runtime: ProcessRuntime, launch: dict[str, object]
) -> None:
    """A secret from a file may hold anything; it neither ends the gateway nor stands in the message."""
    with pytest.raises(StartFailed, match="settings and secrets") as failed:
        await runtime.start(request("cat", **launch))
    assert "secret\0" not in str(failed.value)
    assert "top" not in str(failed.value)


async def test_an_argument_with_a_nul_is_an_error_too(runtime: ProcessRuntime) -> None:
    """As above."""
    with pytest.raises(StartFailed):
        await runtime.start(request("cat", "a\0b"))
