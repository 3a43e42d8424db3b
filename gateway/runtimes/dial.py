"""Opens a byte stream to a container engine. Must not know what is spoken on it.

The streams of unix sockets, TCP and ssh can be half-closed (`trio.abc.HalfCloseableStream`), TLS cannot.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from typing import Final

import trio

from gateway import limits
from gateway.errors import EngineUnreachable
from gateway.runtimes.engine_endpoint import Endpoint, TlsFiles

_SSH_END_S: Final = 1.0
"""How long an ssh client may take to end after both its pipes are closed."""


async def dial(endpoint: Endpoint) -> trio.abc.Stream:
    """A new connection to the engine, which the caller closes.

    Raises:
        EngineUnreachable: nobody answers there, or the connection is refused.
    """
    try:
        with trio.fail_after(limits.CONNECT_TIMEOUT_S):
            return await _open(endpoint)
    except (OSError, ssl.SSLError, trio.TooSlowError, trio.BrokenResourceError) as error:
        raise EngineUnreachable(
            f"the container engine at {endpoint.url} cannot be reached ({error or 'no answer'}): "
            "`docker version` shows more"
        ) from error


def ssh_command(endpoint: Endpoint) -> list[str]:
    """The command whose stdin and stdout are a connection to the remote engine, as Docker's command line has it.

    `BatchMode`: a question would wait for ever, as nobody sees it.
    """
    program = shutil.which("ssh")
    if program is None:
        raise EngineUnreachable(
            f"the engine at {endpoint.url} needs the `ssh` program: install openssh-client"
        )
    login = ["-l", endpoint.user] if endpoint.user else []
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={limits.CONNECT_TIMEOUT_S:.0f}"]
    port = ["-p", str(endpoint.port)]
    # `--`: a host name that begins with a dash is no option.
    return [program, *options, *login, *port, "--", endpoint.host, "docker system dial-stdio"]


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """The client side of an engine's TLS.

    Raises:
        EngineUnreachable: a certificate file cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=files.ca or None)
        if files.cert and files.key:
            context.load_cert_chain(files.cert, files.key)
    except (OSError, ssl.SSLError) as error:
        raise EngineUnreachable(
            f"the engine's certificates cannot be read ({error}): check DOCKER_CERT_PATH"
        ) from error
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _open(endpoint: Endpoint) -> trio.abc.Stream:
    match endpoint.kind:
        case "unix":
            return await trio.open_unix_socket(endpoint.path)
        case "tcp":
            return await _open_tcp(endpoint)
        case "tls":
            return await _open_tls(endpoint)
        case "ssh":
            return await _open_ssh(endpoint)


async def _open_tcp(endpoint: Endpoint) -> trio.SocketStream:
    stream = await trio.open_tcp_stream(endpoint.host, endpoint.port)
    # A remote engine that vanishes without a word is found out by the system, not by a timeout of ours.
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return stream


async def _open_tls(endpoint: Endpoint) -> trio.SSLStream[trio.SocketStream]:
    context = tls_context(endpoint.tls or TlsFiles())
    plain = await _open_tcp(endpoint)
    stream = trio.SSLStream(plain, context, server_hostname=endpoint.host, https_compatible=True)
    shaken = False
    try:
        await stream.do_handshake()
        shaken = True
        return stream
    finally:
        if not shaken:
            plain.socket.close()


async def _open_ssh(endpoint: Endpoint) -> _SshStream:
    process = await trio.lowlevel.open_process(
        ssh_command(endpoint),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Its complaints go where ours go, so that "Permission denied (publickey)" is seen.
        stderr=None,
        # A Ctrl-C in our terminal is ours to handle.
        start_new_session=True,
    )
    return _SshStream(process)


class _SshStream(trio.abc.HalfCloseableStream):
    """The pipes of an ssh client, and the client's end."""

    def __init__(self, process: trio.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise TypeError("the ssh client was started without pipes")
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stdin.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stdin.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stdin.aclose()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stdout.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Ends the client; it is reaped also when the caller is cancelled."""
        with trio.move_on_after(_SSH_END_S, shield=True):
            await self._stdin.aclose()
            await self._stdout.aclose()
            self._process.terminate()
            await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
            with trio.move_on_after(_SSH_END_S, shield=True):
                await self._process.wait()
        await trio.lowlevel.checkpoint()
