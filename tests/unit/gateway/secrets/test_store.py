"""The secret store: private, whole, versioned."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gateway.errors import SecretError
from gateway.limits import MAX_SECRET_BYTES
from gateway.secrets.store import SecretStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store will be."""
    return tmp_path / "home" / "secrets.env"


def test_secrets_are_kept(path: Path) -> None:
    """Set, got, listed, removed; newlines and quotes survive."""
    store = SecretStore(path)
    assert store.get("a.b") is None
    store.set("a.b", 'one\n"two" \\ $three # four')
    store.set("c", "5")
    assert SecretStore(path).get("a.b") == 'one\n"two" \\ $three # four'
    assert store.names() == ("a.b", "c")
    assert store.remove("a.b")
    assert not store.remove("a.b")
    assert store.names() == ("c",)


def test_file_is_private_and_versioned(path: Path) -> None:
    """A later format can tell itself apart."""
    SecretStore(path).set("a", "b")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == '# mcpgw-secrets v1\na="b"\n'


def test_readable_file_is_made_private(path: Path) -> None:
    """Our own file is mended rather than refused."""
    SecretStore(path).set("a", "b")
    path.chmod(0o644)
    assert SecretStore(path).get("a") == "b"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_what_has_no_end_is_no_store(path: Path, name: str) -> None:
    """It is refused before it is read: a pipe would be waited on, and a device fill the memory."""
    path.parent.mkdir()
    if name == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(name)
    with pytest.raises(SecretError, match="is no secret store"):
        SecretStore(path).values()


def test_file_that_cannot_be_made_private_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence holds the command that helps."""
    SecretStore(path).set("a", "b")
    path.chmod(0o644)

    def chmod(_path: Path, _mode: int) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "chmod", chmod)
        with pytest.raises(SecretError, match="chmod 600"):
            SecretStore(path).get("a")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"A=b\n", "no secret store"),
        (b"# mcpgw-secrets v2\nxyz", "newer mcpgw"),
        (b"# mcpgw-secrets v1\nsecretvalue\n", ":2: is not of the form"),
        (b"\xff\xfesecret", "not UTF-8"),
    ],
)
def test_broken_file_is_told_and_never_overwritten(path: Path, content: bytes, part: str) -> None:
    """And the message holds nothing of it."""
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    for touch in (lambda: SecretStore(path).get("a"), lambda: SecretStore(path).set("a", "b")):
        with pytest.raises(SecretError, match=part) as caught:
            touch()
        assert "secretvalue" not in str(caught.value)
    assert path.read_bytes() == content


def test_empty_file_is_an_empty_store(path: Path) -> None:
    """As `touch` leaves it."""
    path.parent.mkdir()
    path.touch(mode=0o600)
    assert SecretStore(path).names() == ()


@pytest.mark.parametrize("name", ["", "a b", "a=b", "#a", "a\nb", 'a"b', "a'b"])
def test_names_that_no_line_can_hold_are_refused(path: Path, name: str) -> None:
    """Before anything is written."""
    with pytest.raises(SecretError, match="name of a secret"):
        SecretStore(path).set(name, "x")
    assert not path.exists()


@pytest.mark.parametrize("value", ["", "a\0b", "\ud800", "x" * (MAX_SECRET_BYTES + 1)])
def test_values_that_no_variable_can_hold_are_refused(path: Path, value: str) -> None:
    """And not shown."""
    with pytest.raises(SecretError) as caught:
        SecretStore(path).set("name", value)
    assert len(str(caught.value)) < 200


def test_writers_do_not_lose_each_others_secrets(path: Path) -> None:
    """Two commands at the same time."""
    writers = [
        threading.Thread(target=SecretStore(path).set, args=(f"s{number}", "v"))
        for number in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(SecretStore(path).names()) == 8


def test_unusable_places_are_told(tmp_path: Path) -> None:
    """A folder where the file should be; a file where the folder should be."""
    (tmp_path / "folder").mkdir(mode=0o700)
    with pytest.raises(SecretError, match="is no secret store"):
        SecretStore(tmp_path / "folder").get("a")
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretError, match="cannot be"):
        SecretStore(tmp_path / "file" / "secrets.env").set("a", "b")


def test_repr_shows_no_secret(path: Path) -> None:
    """Logs and tracebacks print it."""
    store = SecretStore(path)
    store.set("a", "hidden")
    assert "hidden" not in repr(store)
