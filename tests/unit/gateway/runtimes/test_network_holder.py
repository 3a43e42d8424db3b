"""gateway/runtimes/network_holder.py: the program, and what the engine is told of its container."""

from __future__ import annotations

import io
import platform
import struct
import subprocess
import tarfile
from pathlib import Path

import msgspec
import pytest

from gateway.catalog.model import ContainerLaunch, Mount
from gateway.runtimes.container_config import Place, container_config
from gateway.runtimes.network_holder import (
    MARK,
    holder_archive,
    holder_config,
    holder_program,
    joining,
)

HERE = Place()
LAUNCH = ContainerLaunch(
    image="img",
    command=("serve",),
    env={"KEY": "secret"},
    mounts=(Mount(source="data", target="/data"),),
    caps=("CHOWN",),
    extra_hosts=("h:1.2.3.4",),
    memory_bytes=10**9,
    cpus=0.5,
    pids=7,
)


def server(place: Place = HERE, **changes: object) -> dict:
    """What the engine would be told of a server's container."""
    launch = msgspec.structs.replace(LAUNCH, **changes)
    return container_config(launch, place, labels={"mcpgw.home": "x"}, interactive=True)


def test_the_program_says_that_it_runs_and_waits_for_the_end_of_its_input(tmp_path: Path) -> None:
    """That of this machine's processor, run as it is: a mark, patience, and status 0 at the end of its input."""
    program = holder_program(platform.machine())
    assert program is not None
    path = tmp_path / "hold"
    path.write_bytes(program)
    path.chmod(0o555)
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read(1) == MARK
        process.stdin.write(b"what it is told does not matter\n")
        process.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        process.stdin.close()
        assert process.wait(5) == 0
        assert process.stdout.read() == b""


@pytest.mark.parametrize(
    ("names", "machine"), [(("x86_64", "amd64"), 62), (("aarch64", "arm64"), 183)]
)
def test_a_program_for_each_processor(names: tuple[str, ...], machine: int) -> None:
    """By all of a processor's names: an executable for it, whose one segment is the file and holds the entry."""
    (program,) = {holder_program(name) for name in names}
    assert program is not None
    kind, number, _, entry, offset = struct.unpack_from("<HHIQQ", program, 16)
    assert (program[:4], kind, number) == (b"\x7fELF", 2, machine)
    begin, _, size = struct.unpack_from("<QQQ", program, offset + 16)
    assert size == len(program)
    assert begin < entry < begin + size


def test_no_program_for_others() -> None:
    """What the engine says of a processor that nobody wrote a program for, and an engine that says nothing."""
    assert holder_program("riscv64") is None
    assert holder_program("") is None


def test_the_archive_is_always_the_same() -> None:
    """One file that everybody may run and nobody change; nothing of this machine or this moment in it."""
    with tarfile.open(fileobj=io.BytesIO(holder_archive(b"program"))) as tar:
        (member,) = tar.getmembers()
        content = tar.extractfile(member)
        assert content is not None
        assert content.read() == b"program"
    assert member.name == holder_config(server())["Entrypoint"][0].lstrip("/")
    assert (member.mode, member.uid, member.gid, member.mtime) == (0o555, 0, 0, 0)


def test_a_holder_gets_the_network_and_nothing_else() -> None:
    """Of the server's entry: image, labels, network, names of hosts. No secret, no volume, no capability; as nobody."""
    made = holder_config(server(Place(networks=("a", "b"))))
    host = made["HostConfig"]
    assert (made["Image"], made["Labels"]) == ("img", {"mcpgw.home": "x"})
    assert (host["NetworkMode"], host["ExtraHosts"]) == ("a", ["h:1.2.3.4"])
    assert made["User"] == "65534:65534"
    assert "Env" not in made
    assert "Mounts" not in host
    assert "CapAdd" not in host
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PidsLimit"] == 32
    assert host["Memory"] == host["MemorySwap"] < 10**8
    assert host["LogConfig"]["Type"] == "none"
    assert "secret" not in str(made)


def test_a_holder_ends_with_our_connection() -> None:
    """Its input is ours, once; it then goes by itself."""
    made = holder_config(server())
    assert (made["OpenStdin"], made["StdinOnce"], made["HostConfig"]["AutoRemove"]) == (True,) * 3


def test_a_blocked_network_stays_blocked() -> None:
    """The namespace that is shared is one without a network."""
    assert holder_config(server(disable_network=True))["HostConfig"]["NetworkMode"] == "none"


def test_joining_changes_the_network_only() -> None:
    """The server's own confinement is what it was. Names of hosts come from the holder: engines refuse them here."""
    before = server()
    after = joining(before, "abc")
    assert after["HostConfig"] | {"NetworkMode": 0, "ExtraHosts": 0} == before["HostConfig"] | {
        "NetworkMode": 0,
        "ExtraHosts": 0,
    }
    assert after["HostConfig"]["NetworkMode"] == "container:abc"
    assert after["HostConfig"]["ExtraHosts"] == []
    assert {**after, "HostConfig": 0} == {**before, "HostConfig": 0}
