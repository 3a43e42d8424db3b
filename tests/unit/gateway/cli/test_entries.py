"""What a serving gateway tells its operator."""

import json
import sys
from pathlib import Path

import pytest

from gateway.cli.entries import program_command, stdio_words, welcome
from gateway.cli.verbs import Invocation
from gateway.options import GatewayOptions
from gateway.ports import Announcement

URLS = {
    "sse": "http://127.0.0.1:8811/sse",
    "streaming": "http://127.0.0.1:8811/mcp",
    "ws": "ws://127.0.0.1:8811/ws",
}


def entries(lines: tuple[str, ...]) -> list[dict[str, object]]:
    """The JSON objects in the lines."""
    text, found, decoder = "\n".join(lines), [], json.JSONDecoder()
    while (start := text.find("\n  {")) >= 0:
        value, end = decoder.raw_decode(text[start + 3 :])
        found.append(value["mcpServers"]["mcpgw"])
        text = text[start + 3 + end :]
    return found


def options(**fields: object) -> GatewayOptions:
    """Options of a network gateway."""
    return GatewayOptions(home="/h", **{"transport": "streaming", **fields})


def invocation(tmp_path: Path, *words: str, **environ: str) -> Invocation:
    """A run of an executable zipapp."""
    script = tmp_path / "mcpgw.pyz"
    script.write_text("")
    script.chmod(0o755)
    return Invocation(environ=environ, words=words, script=str(script))


def test_stdio_says_one_line(tmp_path: Path) -> None:
    """On stdio there is no URL to tell."""
    lines = welcome(Announcement(servers=("a",)), options(), invocation(tmp_path))
    assert lines == ("mcpgw: serving 1 server (a)",)


def test_notes_are_told(tmp_path: Path) -> None:
    """What the operator should know comes first."""
    lines = welcome(Announcement(notes=("b is left out",)), options(), invocation(tmp_path))
    assert lines == ("mcpgw: serving 0 servers", "mcpgw: b is left out")


@pytest.mark.parametrize(
    ("transport", "kind"), [("streaming", "http"), ("sse", "sse"), ("ws", "ws")]
)
def test_network_entries(tmp_path: Path, transport: str, kind: str) -> None:
    """The URL that was asked for comes first; both entries are ready to paste."""
    run = invocation(tmp_path, "--transport", transport, "--port=8811", MCPGW_HOME="/h")
    lines = welcome(
        Announcement(urls=URLS, token="t0ken", servers=("a", "b")),
        options(transport=transport),
        run,
    )
    assert URLS[transport] in lines[2]
    assert any(line.endswith(" t0ken") for line in lines)
    desktop, network = entries(lines)
    assert desktop == {
        "command": run.script,
        "args": ["gateway", "run"],
        "env": {"MCPGW_HOME": "/h"},
    }
    assert network == {
        "type": kind,
        "url": URLS[transport],
        "headers": {"Authorization": "Bearer t0ken"},
    }
    assert any(line.startswith("  curl -sS http://127.0.0.1:8811/mcp") for line in lines)


def test_token_of_the_operator_is_not_repeated(tmp_path: Path) -> None:
    """Where the operator gave the token, entries have a placeholder."""
    lines = welcome(Announcement(urls=URLS), options(), invocation(tmp_path))
    assert any(line.endswith("the one that you gave") for line in lines)
    assert entries(lines)[1]["headers"] == {"Authorization": "Bearer YOUR_TOKEN"}


def test_without_authentication(tmp_path: Path) -> None:
    """No token is asked for, so none is in the entries."""
    lines = welcome(
        Announcement(urls=URLS), options(allow_unauthenticated=True), invocation(tmp_path)
    )
    assert "headers" not in entries(lines)[1]
    assert not any("Authorization" in line for line in lines)


def test_inside_a_container_no_desktop_entry(tmp_path: Path) -> None:
    """A path in the container is of no use to a client outside."""
    lines = welcome(
        Announcement(urls=URLS, token="t"), options(in_container=True), invocation(tmp_path)
    )
    assert len(entries(lines)) == 1


def test_https_curl_trusts_the_certificate(tmp_path: Path) -> None:
    """The command works with a certificate of one's own."""
    lines = welcome(
        Announcement(urls=URLS, token="t"), options(tls_cert="/c.pem"), invocation(tmp_path)
    )
    assert any("--cacert /c.pem" in line for line in lines)


def test_stdio_words_drop_the_network_and_keep_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desktop entry serves the same servers, from any folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("")
    words = ["--transport", "sse", "--port=1", "--allow-unauthenticated", "--catalog", "./c.yaml,b",
             "--config=./c.yaml", "--servers", "x,y", "--allow-host", "h"]  # fmt: skip
    assert stdio_words(words) == (
        "--catalog", f"{tmp_path}/c.yaml,b", f"--config={tmp_path}/c.yaml", "--servers", "x,y",
    )  # fmt: skip


def test_program_commands(tmp_path: Path) -> None:
    """However the program was started, the entry starts it again."""
    run = invocation(tmp_path)
    assert program_command(run) == (run.script,)
    Path(run.script).chmod(0o644)
    assert program_command(run) == (sys.executable, run.script)
    plugin = Invocation(environ={}, program=("docker", "mcp"))
    assert program_command(plugin) == ("docker", "mcp")
    module = Invocation(environ={}, script="/x/gateway/cli/__main__.py")
    assert program_command(module) == (sys.executable, "-m", "gateway.cli")
    assert program_command(Invocation(environ={}, script="")) == ("mcpgw",)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, 0),
        ({"host": "localhost"}, 0),
        ({"host": "0.0.0.0", "in_container": True}, 0),
        ({"host": "0.0.0.0", "tls_cert": "c.pem"}, 0),
        ({"host": "0.0.0.0"}, 1),
        ({"host": "gateway.lan", "allow_unauthenticated": True}, 2),
    ],
)
def test_who_can_be_reached_by_others_is_told(
    tmp_path: Path, fields: dict[str, object], said: int
) -> None:
    """That nothing is encrypted, and that nobody is asked for a token."""
    lines = welcome(Announcement(urls=URLS), options(**fields), invocation(tmp_path))
    told = [line for line in lines if "not encrypted" in line or "may call every tool" in line]
    assert len(told) == said
    assert all(line.startswith("mcpgw: ") for line in told)
