"""dial.py and docker_ssh.py: the same engine behind TCP, TLS and ssh, each by a stand-in of its own."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import sys
from functools import partial
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.catalog.model import ContainerLaunch
from gateway.errors import EngineUnreachable
from gateway.home import Home
from gateway.ports import StartRequest
from gateway.runtimes.container_config import Owner
from gateway.runtimes.dial import dial, ssh_command, tls_context
from gateway.runtimes.docker_engine import DockerEngine
from gateway.runtimes.engine_endpoint import Endpoint, TlsFiles
from gateway.runtimes.link_choice import LinkChoice
from gateway.runtimes.ownership import InstanceLock
from tests.contracts.test_link import call, read_line

pytestmark = pytest.mark.slow

# Stands for `ssh host docker system dial-stdio`: whatever its arguments, its stdin and stdout are the engine.
SSH = """#!{python}
import os, select, socket
engine = socket.socket(socket.AF_UNIX)
engine.connect({path!r})
sources = [0, engine]
while engine in sources:
    for source in select.select(sources, [], [])[0]:
        data = os.read(0, 65536) if source == 0 else engine.recv(65536)
        if not data:
            sources.remove(source)
            if source == 0:
                engine.shutdown(socket.SHUT_WR)
        elif source == 0:
            engine.sendall(data)
        else:
            os.write(1, data)
"""


async def forward(path: str, near: trio.abc.Stream) -> None:
    """Moves bytes between a client and the engine's socket, until one of them is done."""
    far = await trio.open_unix_socket(path)

    async def there() -> None:
        async for chunk in near:
            await far.send_all(chunk)
        await far.send_eof()

    async with near, far, trio.open_nursery() as nursery:
        nursery.start_soon(_ignoring_breaks, there)
        await _ignoring_breaks(partial(_copy, far, near))
        nursery.cancel_scope.cancel()


async def _copy(source: trio.abc.ReceiveStream, target: trio.abc.SendStream) -> None:
    async for chunk in source:
        await target.send_all(chunk)


async def _ignoring_breaks(work) -> None:  # noqa: ANN001 # an async callable
    try:
        await work()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def use(endpoint: Endpoint, image: str, home: Home) -> None:
    """What a gateway does: ping, start, call, close."""
    lock = InstanceLock.take(home)
    engine = DockerEngine(
        endpoint, Owner(home.identity(), lock.instance_id), links=LinkChoice(home)
    )
    try:
        assert (await engine.ping()).version
        launch = ContainerLaunch(image=image, memory_bytes=2**26, cpus=1.0, pids=32)
        link = await engine.start(StartRequest(server="far", launch=launch, spec_hash=""))
        await link.send_all(call("echo", text="from afar"))
        assert b"from afar" in await read_line(link)
        start = trio.current_time()
        await link.aclose()
        assert trio.current_time() - start < 1.5
        output = await engine.run(
            StartRequest(
                server="far",
                launch=ContainerLaunch(
                    image=image, command=("--print=7",), memory_bytes=2**26, cpus=1.0, pids=32
                ),
                spec_hash="",
            )
        )
        assert output.stdout == "7"
    finally:
        await engine.aclose()
        lock.release()


def port_of(listener: trio.SocketListener) -> int:
    """Where it listens."""
    return listener.socket.getsockname()[1]


async def test_tcp(engine: Endpoint, echo_image: str, home: Home, nursery: trio.Nursery) -> None:
    """An engine that listens on a port."""
    [listener] = await nursery.start(
        partial(trio.serve_tcp, partial(forward, engine.path), 0, host="127.0.0.1")
    )
    await use(Endpoint(kind="tcp", host="127.0.0.1", port=port_of(listener)), echo_image, home)


async def test_tls(
    engine: Endpoint, echo_image: str, home: Home, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """An engine behind TLS, which knows no half-close, with certificates on both sides."""
    files = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.ca)
    context.load_cert_chain(files.cert, files.key)
    context.verify_mode = ssl.CERT_REQUIRED
    [listener] = await nursery.start(
        partial(
            trio.serve_ssl_over_tcp,
            partial(forward, engine.path),
            0,
            context,
            host="127.0.0.1",
            https_compatible=True,
        )
    )
    port = port_of(listener.transport_listener)
    await use(Endpoint(kind="tls", host="127.0.0.1", port=port, tls=files), echo_image, home)


async def test_ssh(
    engine: Endpoint, echo_image: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine behind an ssh program, which is run anew for each connection."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(SSH.format(python=sys.executable, path=engine.path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    await use(Endpoint(kind="ssh", host="far", port=22, user="me"), echo_image, home)


def certificate(folder: Path) -> TlsFiles:
    """A self-signed certificate for 127.0.0.1, used by both sides."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "engine")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert = folder / "cert.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = folder / "key.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return TlsFiles(ca=str(cert), cert=str(cert), key=str(pem))


async def test_nobody_there(tmp_path: Path) -> None:
    """A socket that does not exist is an engine out of reach, with the address."""
    with pytest.raises(EngineUnreachable, match=r"none\.sock cannot be reached"):
        await dial(Endpoint(kind="unix", path=str(tmp_path / "none.sock")))


async def test_a_server_that_is_not_trusted(nursery: trio.Nursery, tmp_path: Path) -> None:
    """A certificate of somebody else is refused, unless the operator said not to look."""
    files = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert, files.key)

    async def hold(stream: trio.abc.Stream) -> None:
        await _ignoring_breaks(partial(stream.receive_some, 1))

    [listener] = await nursery.start(
        partial(trio.serve_ssl_over_tcp, hold, 0, context, host="127.0.0.1", https_compatible=True)
    )
    port = port_of(listener.transport_listener)
    endpoint = Endpoint(kind="tls", host="127.0.0.1", port=port, tls=TlsFiles())
    with pytest.raises(EngineUnreachable, match="cannot be reached"):
        await dial(endpoint)
    careless = Endpoint(kind="tls", host="127.0.0.1", port=port, tls=TlsFiles(verify=False))
    await trio.aclose_forcefully(await dial(careless))


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    """The variable that names them is what people look at."""
    broken = tmp_path / "ca.pem"
    broken.write_text("nothing")
    with pytest.raises(EngineUnreachable, match="check DOCKER_CERT_PATH"):
        tls_context(TlsFiles(ca=str(broken)))


def test_the_ssh_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No question is asked, and a host name is never an option."""
    (tmp_path / "ssh").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    command = ssh_command(Endpoint(kind="ssh", host="-oProxyCommand=x", port=2222, user="me"))
    assert command[0] == str(tmp_path / "ssh")
    assert "BatchMode=yes" in command
    assert command[command.index("-p") + 1] == "2222"
    assert command[command.index("-l") + 1] == "me"
    assert command[-3:] == ["--", "-oProxyCommand=x", "docker system dial-stdio"]


def test_no_ssh_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is missing, and what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnreachable, match="install openssh-client"):
        ssh_command(Endpoint(kind="ssh", host="far", port=22))
