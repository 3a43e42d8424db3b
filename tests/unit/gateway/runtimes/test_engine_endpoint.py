"""gateway/runtimes/engine_endpoint.py: where the engine is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from gateway.errors import EngineUnreachable
from gateway.runtimes.engine_endpoint import DEFAULT_SOCKET, Endpoint, TlsFiles, locate_engine


def write_context(home: Path, name: str, host: str, *, current: bool = False) -> Path:
    """A Docker context as `docker context create` writes it; gives its folder of certificates, not yet made."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = home / ".docker" / "contexts" / "meta" / digest
    meta.mkdir(parents=True)
    target = {"Host": host, "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": target}}))
    if current:
        (home / ".docker" / "config.json").write_text(json.dumps({"currentContext": name}))
    return home / ".docker" / "contexts" / "tls" / digest / "docker"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("unix:///x/d.sock", Endpoint(kind="unix", path="/x/d.sock")),
        ("tcp://engine:1234", Endpoint(kind="tcp", host="engine", port=1234)),
        ("tcp://engine", Endpoint(kind="tcp", host="engine", port=2375)),
        ("tcp://[::1]:7", Endpoint(kind="tcp", host="::1", port=7)),
        ("http://engine:80", Endpoint(kind="tcp", host="engine", port=80)),
        ("https://engine", Endpoint(kind="tls", host="engine", port=2376, tls=TlsFiles())),
        ("ssh://me@far:2222", Endpoint(kind="ssh", host="far", port=2222, user="me")),
        ("ssh://far", Endpoint(kind="ssh", host="far", port=22)),
    ],
)
def test_docker_host_in_every_spelling(address: str, expected: Endpoint, tmp_path: Path) -> None:
    """DOCKER_HOST is understood as Docker's command line does."""
    found = locate_engine({"DOCKER_HOST": address, "HOME": str(tmp_path)})
    assert found == Endpoint(**{**_fields(expected), "source": "DOCKER_HOST"})


def _fields(endpoint: Endpoint) -> dict:
    return {name: getattr(endpoint, name) for name in endpoint.__struct_fields__}


@pytest.mark.parametrize("address", ["nonsense", "unix://", "tcp://", "tcp://x:port", "fd://"])
def test_an_address_that_is_none_is_named(address: str, tmp_path: Path) -> None:
    """What cannot be an engine is refused with the forms that can."""
    with pytest.raises(EngineUnreachable, match=r"DOCKER_HOST is .* use unix:///path"):
        locate_engine({"DOCKER_HOST": address, "HOME": str(tmp_path)})


def test_windows_pipe_points_to_wsl(tmp_path: Path) -> None:
    """A named pipe cannot be reached; WSL can."""
    with pytest.raises(EngineUnreachable, match="inside WSL 2"):
        locate_engine({"DOCKER_HOST": "npipe:////./pipe/docker_engine", "HOME": str(tmp_path)})


def test_tls_variables(tmp_path: Path) -> None:
    """DOCKER_TLS_VERIFY and DOCKER_CERT_PATH make a verified TLS endpoint of those files that exist."""
    (tmp_path / "ca.pem").touch()
    (tmp_path / "cert.pem").touch()
    environ = {
        "DOCKER_HOST": "tcp://engine",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path),
        "HOME": "/nowhere",
    }
    found = locate_engine(environ)
    assert (found.kind, found.port) == ("tls", 2376)
    assert found.tls == TlsFiles(ca=str(tmp_path / "ca.pem"), cert=str(tmp_path / "cert.pem"))


def test_tls_without_verification(tmp_path: Path) -> None:
    """DOCKER_TLS alone encrypts, and believes any certificate."""
    environ = {"DOCKER_HOST": "tcp://engine", "DOCKER_TLS": "1", "HOME": str(tmp_path)}
    assert locate_engine(environ).tls == TlsFiles(verify=False)


def test_context_by_variable(tmp_path: Path) -> None:
    """DOCKER_CONTEXT names a context, which is read from Docker's own files."""
    write_context(tmp_path, "far", "ssh://me@far")
    found = locate_engine({"DOCKER_CONTEXT": "far", "HOME": str(tmp_path)})
    assert found == Endpoint(kind="ssh", host="far", port=22, user="me", source="context far")


def test_current_context(tmp_path: Path) -> None:
    """Without variables the current context counts, as Docker Desktop sets it."""
    write_context(tmp_path, "desktop", "unix:///desktop.sock", current=True)
    assert locate_engine({"HOME": str(tmp_path)}).path == "/desktop.sock"


def test_docker_config_moves_the_folder(tmp_path: Path) -> None:
    """DOCKER_CONFIG is where Docker's files are looked for."""
    write_context(tmp_path, "x", "unix:///x.sock", current=True)
    environ = {"HOME": "/nowhere", "DOCKER_CONFIG": str(tmp_path / ".docker")}
    assert locate_engine(environ).path == "/x.sock"


def test_docker_host_wins_over_contexts(tmp_path: Path) -> None:
    """The order is that of Docker's command line."""
    write_context(tmp_path, "x", "unix:///x.sock", current=True)
    environ = {"HOME": str(tmp_path), "DOCKER_CONTEXT": "x", "DOCKER_HOST": "unix:///host.sock"}
    assert locate_engine(environ).path == "/host.sock"


def test_context_with_certificates(tmp_path: Path) -> None:
    """A context's certificates make its TCP address a TLS one."""
    folder = write_context(tmp_path, "tls", "tcp://engine:2376")
    folder.mkdir(parents=True)
    (folder / "ca.pem").touch()
    found = locate_engine({"DOCKER_CONTEXT": "tls", "HOME": str(tmp_path)})
    assert found.kind == "tls"
    assert found.tls == TlsFiles(ca=str(folder / "ca.pem"))


def test_missing_context_is_named(tmp_path: Path) -> None:
    """A context that does not exist is an error that says how to see the others."""
    with pytest.raises(EngineUnreachable, match="no Docker context 'gone': `docker context ls`"):
        locate_engine({"DOCKER_CONTEXT": "gone", "HOME": str(tmp_path)})


def test_broken_config_counts_as_empty(tmp_path: Path) -> None:
    """A config.json that is no JSON does not stop us, as it does not stop Docker."""
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("{")
    assert locate_engine({"HOME": str(tmp_path)}).kind == "unix"


def test_default_context_is_the_known_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the known sockets the first that exists is taken; the system's where none does."""
    monkeypatch.setattr("gateway.runtimes.engine_endpoint.DEFAULT_SOCKET", str(tmp_path / "none"))
    environ = {
        "HOME": str(tmp_path),
        "DOCKER_CONTEXT": "default",
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
    }
    assert locate_engine(environ).path == str(tmp_path / "none")
    desktop = tmp_path / ".docker" / "run" / "docker.sock"
    desktop.parent.mkdir(parents=True)
    desktop.touch()
    assert locate_engine(environ).path == str(desktop)
    rootless = tmp_path / "run" / "docker.sock"
    rootless.parent.mkdir()
    rootless.touch()
    assert locate_engine(environ).path == str(rootless)


def test_urls_and_locality() -> None:
    """An endpoint spells itself as DOCKER_HOST does, and only a unix socket is local."""
    assert Endpoint(kind="unix", path=DEFAULT_SOCKET).url == f"unix://{DEFAULT_SOCKET}"
    assert Endpoint(kind="tls", host="::1", port=1).url == "tcp://[::1]:1"
    assert Endpoint(kind="ssh", host="h", port=22, user="u").url == "ssh://u@h:22"
    assert Endpoint(kind="ssh", host="h", port=22).url == "ssh://h:22"
    assert Endpoint(kind="unix", path="/x").local
    assert not Endpoint(kind="ssh", host="h").local
