"""gateway/runtimes/self_container.py: the names of our own container."""

from __future__ import annotations

import socket
from pathlib import Path

from gateway.runtimes.self_container import own_container_names

ID = "f" * 64
LAYER = "e" * 64


def test_the_mounts_know_the_id(tmp_path: Path) -> None:
    """The id in the mounts comes first, and a layer's id is not taken for it."""
    (tmp_path / "mountinfo").write_text(
        f"1 0 0:1 / / rw - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/{LAYER}/diff\n"
        f"2 1 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/x rw\n"
    )
    (tmp_path / "cgroup").write_text("0::/\n")
    assert own_container_names(tmp_path) == [ID, socket.gethostname()]


def test_older_cgroups_know_it_too(tmp_path: Path) -> None:
    """On cgroup v1 the path names the container."""
    (tmp_path / "cgroup").write_text(f"12:pids:/docker/{ID}\n11:cpu:/docker/{ID}\n")
    assert own_container_names(tmp_path) == [ID, socket.gethostname()]


def test_else_the_host_name(tmp_path: Path) -> None:
    """Where nothing else is known the engine has named the host after the container."""
    assert own_container_names(tmp_path) == [socket.gethostname()]
