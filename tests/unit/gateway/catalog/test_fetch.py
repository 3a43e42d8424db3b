"""Catalogs from URLs: https only, bounded, kept, used when the network is away."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from gateway.catalog.fetch import Answer, Ask, Fetched, Kept, fetch, shown_url
from gateway.errors import CatalogError

URL = "https://example.com/c.yaml"


class Web:
    """Answers from a script; remembers what it was asked."""

    def __init__(self, *answers: Answer | CatalogError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def __call__(self, url: str, headers: Mapping[str, str]) -> Answer:
        """The next answer."""
        self.asked.append((url, headers))
        answer = self.answers.pop(0)
        if isinstance(answer, CatalogError):
            raise answer
        return answer


def age(folder: Path) -> None:
    """Makes every kept copy an old one."""
    for file in folder.iterdir():
        kept = msgspec.msgpack.decode(file.read_bytes(), type=Kept)
        file.write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(kept, fetched_at=1e9)))


def unreachable() -> CatalogError:
    """What `ask` says without a network."""
    return CatalogError(f"{URL}: cannot be fetched: ConnectError")


def test_fresh_copy_is_used_without_asking(tmp_path: Path) -> None:
    """Starts and reloads do not wait for a web server."""
    web = Web(Answer(200, b"one", "e1"))
    assert fetch(URL, tmp_path, ask=web) == Fetched(b"one")
    assert fetch(URL, tmp_path, ask=web) == Fetched(b"one")
    assert len(web.asked) == 1


def test_old_copy_is_asked_about(tmp_path: Path) -> None:
    """Not modified keeps it, and counts as fresh again; modified replaces it."""
    web = Web(Answer(200, b"one", "e1"), Answer(304), Answer(200, b"two"))
    fetch(URL, tmp_path, ask=web)
    age(tmp_path)
    assert fetch(URL, tmp_path, ask=web) == Fetched(b"one")
    assert fetch(URL, tmp_path, ask=web) == Fetched(b"one")
    age(tmp_path)
    assert fetch(URL, tmp_path, ask=web) == Fetched(b"two")
    assert [headers for _, headers in web.asked] == [
        {},
        {"If-None-Match": "e1"},
        {"If-None-Match": "e1"},
    ]


def test_without_network_the_copy_is_used_with_a_note(tmp_path: Path) -> None:
    """The note says how old it is."""
    fetch(URL, tmp_path, ask=Web(Answer(200, b"one")))
    age(tmp_path)
    fetched = fetch(URL, tmp_path, ask=Web(unreachable()))
    assert fetched.content == b"one"
    assert "the copy of 2001-09-09 01:46 UTC is used" in fetched.note


def test_without_network_and_copy_it_is_an_error(tmp_path: Path) -> None:
    """The command line named it."""
    with pytest.raises(CatalogError, match="cannot be fetched"):
        fetch(URL, tmp_path, ask=Web(unreachable()))


def test_the_network_says_why_and_no_secret(tmp_path: Path) -> None:
    """A refused connection is told in the system's words, the address without its query."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = unheard.getsockname()[1]
        with pytest.raises(CatalogError, match="Connection refused") as caught:
            fetch(f"https://127.0.0.1:{port}/c.yaml?key=secret", tmp_path)
    assert "secret" not in str(caught.value)


def test_redirects_are_followed_within_https(tmp_path: Path) -> None:
    """Relative ones, too; never to plain http, never forever."""
    web = Web(
        Answer(302, location="/d.yaml"), Answer(307, location="https://b.c/e"), Answer(200, b"x")
    )
    assert fetch(URL, tmp_path, ask=web).content == b"x"
    assert [url for url, _ in web.asked] == [URL, "https://example.com/d.yaml", "https://b.c/e"]
    with pytest.raises(CatalogError, match="https only"):
        fetch(URL + "1", tmp_path, ask=Web(Answer(302, location="http://b.c/e")))
    with pytest.raises(CatalogError, match="redirects more than"):
        fetch(URL + "2", tmp_path, ask=Web(*[Answer(301, location=URL)] * 9))


@pytest.mark.parametrize("answer", [Answer(404), Answer(500), Answer(304), Answer(204)])
def test_other_answers_are_errors(tmp_path: Path, answer: Answer) -> None:
    """The status is told."""
    with pytest.raises(CatalogError, match=str(answer.status)):
        fetch(URL, tmp_path, ask=Web(answer))


@pytest.mark.parametrize("url", ["http://example.com/c", "ftp://x", "https://", "https:///c"])
def test_only_https_is_asked(tmp_path: Path, url: str) -> None:
    """Nothing is sent at all."""
    with pytest.raises(CatalogError, match="https only"):
        fetch(url, tmp_path, ask=Web())


def test_unwritable_folder_is_no_error(tmp_path: Path) -> None:
    """Then nothing is kept."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert fetch(URL, blocked, ask=Web(Answer(200, b"x"))).content == b"x"


def test_damaged_copy_is_no_copy(tmp_path: Path) -> None:
    """It is fetched anew."""
    fetch(URL, tmp_path, ask=Web(Answer(200, b"one")))
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"\xc1")
    assert fetch(URL, tmp_path, ask=Web(Answer(200, b"two"))).content == b"two"


def test_secrets_in_urls_are_not_shown() -> None:
    """User, password, query and fragment stay out of messages and of `server list`."""
    assert shown_url("https://u:p@h.x:8443/a/b?token=t#f") == "https://h.x:8443/a/b"


@pytest.fixture
def over_httpx(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The real `ask`, over httpx's own in-memory transport."""
    import httpx

    from gateway.catalog import fetch as module

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/big":
            return httpx.Response(200, content=b"x" * 20)
        if request.url.path == "/broken":
            raise httpx.ConnectError("refused")
        if request.headers.get("If-None-Match") == "e1":
            return httpx.Response(304)
        return httpx.Response(200, content=b"x", headers={"ETag": "e1"})

    client = httpx.Client(transport=httpx.MockTransport(respond))
    monkeypatch.setattr(httpx, "stream", client.stream)
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 10)
    return module._ask


def test_httpx_answers_become_answers(over_httpx: Ask) -> None:
    """Status, body and tag; errors of the network are ours."""
    assert over_httpx("https://x/ok", {}) == Answer(200, b"x", "e1")
    assert over_httpx("https://x/ok", {"If-None-Match": "e1"}).status == 304
    with pytest.raises(CatalogError, match="longer than"):
        over_httpx("https://x/big", {})
    with pytest.raises(CatalogError, match="cannot be fetched: refused"):
        over_httpx("https://x/broken", {})
