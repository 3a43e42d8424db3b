"""A way for docker-py to a remote engine through the `ssh` program. Must not know what is asked of the engine.

docker-py's own ssh needs paramiko, even where it only runs the ssh program; this is `requests`' documented seam instead.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from gateway import limits

_SSH_END_S: Final = 2.0
"""Until an ssh client whose connection was closed has ended."""


def ssh_adapter(command: Sequence[str]) -> HTTPAdapter:
    """An adapter each of whose connections is one run of `command`."""

    class Connection(_SshConnection):
        ssh_command = tuple(command)

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": Pool}

    return Adapter()


class _SshConnection(HTTPConnection):
    """HTTP over a socket pair, at whose other end the ssh program sits."""

    ssh_command: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = None

    def connect(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                self.ssh_command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                start_new_session=True,
            )
        ours.settimeout(limits.ENGINE_TIMEOUT_S)
        self.sock = ours

    def close(self) -> None:
        super().close()
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_SSH_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
