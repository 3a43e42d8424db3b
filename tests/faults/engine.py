"""A `dockerd` that tests may hurt: its own data, sockets and pid file, no bridge, beside whatever engine the machine has.

It sees no network but its own, so that the machine's is left alone. Its containerd is a process beside it, as distributions have it, and is left alone: containers may outlive dockerd.
Must not know what is done to it, nor why.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import docker

_UP_S: Final = 60.0
"""Until a dockerd answers; the first start lays out its storage, a restart looks for containers."""
_DOWN_S: Final = 20.0
_POLL_S: Final = 0.02


class OwnEngine:
    """A dockerd of this test run's own. Made by `own_engine`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "engine.sock"
        self._settings = folder / "daemon.json"
        self._log = folder / "dockerd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._containerd: subprocess.Popen[bytes] | None = None
        self.restore_containers(live=False)

    @property
    def url(self) -> str:
        """As `DOCKER_HOST` has it."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Of dockerd."""
        assert self._process is not None
        return self._process.pid

    def client(self) -> docker.APIClient:
        """docker-py, straight to the engine; the caller closes it."""
        return docker.APIClient(base_url=self.url, version="auto")

    def restore_containers(self, *, live: bool) -> None:
        """Whether containers outlive their dockerd; a running one takes it over."""
        self._settings.write_text(json.dumps({"live-restore": live}))
        if self._process is not None:
            self.signal(signal.SIGHUP)
            time.sleep(0.3)  # it says nowhere when it has read the file

    def start(self) -> None:
        """Starts dockerd, and its containerd if need be, and returns once it answers."""
        if self._containerd is None:
            self._start_containerd()
        # In a network namespace of its own: a dockerd without a bridge deletes `docker0`, the other engine's.
        self._process = self._spawn(
            *("unshare", "--net", "dockerd"),
            *("--data-root", str(self.folder / "data")),
            *("--exec-root", str(self.folder / "exec")),
            *("--pidfile", str(self.folder / "pid")),
            *("--containerd", str(self._containerd_socket)),
            *("--host", self.url, "--config-file", str(self._settings)),
            *("--bridge=none", "--iptables=false", "--log-level=warn"),
        )
        deadline = time.monotonic() + _UP_S
        while not self.answers():
            assert self._process.poll() is None, self._log.read_text()[-4000:]
            assert time.monotonic() < deadline, self._log.read_text()[-4000:]
            time.sleep(_POLL_S)

    @property
    def _containerd_socket(self) -> Path:
        return self.folder / "containerd.sock"

    def _start_containerd(self) -> None:
        settings = self.folder / "containerd.toml"
        settings.write_text(
            f"""
            version = 2
            root = "{self.folder}/containerd"
            state = "{self.folder}/state"
            disabled_plugins = ["io.containerd.grpc.v1.cri"]
            [grpc]
            address = "{self._containerd_socket}"
            """
        )
        self._containerd = self._spawn("containerd", "--config", str(settings))
        deadline = time.monotonic() + _UP_S
        while not self._containerd_socket.exists():
            assert time.monotonic() < deadline, self._log.read_text()[-4000:]
            time.sleep(_POLL_S)

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def revive(self) -> None:
        """Sees to it that it runs, whatever was done to it."""
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGCONT)
        else:
            self.start()

    def answers(self) -> bool:
        """Whether it takes requests."""
        # docker-py leaves its socket open where the connect fails; this asks for as little as `docker version` needs.
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.settimeout(_DOWN_S)
            probe.connect(str(self.socket))
            probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in probe.recv(64)
        return False

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to dockerd."""
        os.kill(self.pid, number)

    def wait(self) -> None:
        """Returns once dockerd has ended; by force if it takes too long."""
        assert self._process is not None
        try:
            self._process.wait(_DOWN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Ends it in good order, whatever state it is in."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self.signal(signal.SIGCONT)
                self.signal(signal.SIGTERM)
            self.wait()

    def close(self) -> None:
        """Ends it and removes all that it had."""
        if self._process is not None:
            with suppress(docker.errors.DockerException):
                self._remove_containers()
        self.stop()
        if self._containerd is not None:
            self._containerd.terminate()
            self._containerd.wait()
        self._end_shims()
        _unmount_below(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _remove_containers(self) -> None:
        client = self.client()
        try:
            for container in client.containers(all=True):
                with suppress(docker.errors.APIError):
                    client.remove_container(container["Id"], force=True)
        finally:
            client.close()

    def _end_shims(self) -> None:
        """A killed dockerd leaves these; they name our folder in their arguments."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if str(self.folder).encode() in path.read_bytes():
                    os.kill(int(path.parent.name), signal.SIGKILL)


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """A running engine without images; nothing of it is left at the end."""
    # Short: the path of a socket has 107 bytes at most.
    engine = OwnEngine(Path(tempfile.mkdtemp(prefix="mcpgw-e")))
    try:
        engine.start()
        yield engine
    finally:
        engine.close()


def _unmount_below(folder: Path) -> None:
    """What a killed engine has left mounted."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        target = line.split()[1]
        if target.startswith(str(folder)):
            subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)
