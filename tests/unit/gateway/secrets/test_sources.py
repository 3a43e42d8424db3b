"""Secret sources: forms, order, and who gets what."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.catalog.model import Origin, SecretUse
from gateway.errors import SecretError
from gateway.limits import MAX_SECRET_BYTES
from gateway.secrets import sources as module
from gateway.secrets.sources import Secrets, SecretSource, read_source, split_sources

LOCAL = Origin("c.yaml", trusted=True)
REMOTE = Origin("https://x/c.yaml", trusted=False)
USE = SecretUse("github.token", "GITHUB_TOKEN")


def test_list_is_split_at_colons_but_not_after_drive_letters() -> None:
    """Docker's default, and Windows paths."""
    assert split_sources("docker-desktop:/run/secrets/mcp_secret:/.env") == (
        "docker-desktop",
        "/run/secrets/mcp_secret",
        "/.env",
    )
    assert split_sources("C:\\x\\.env:D:/y:rel") == ("C:\\x\\.env", "D:/y", "rel")
    assert split_sources("") == ()
    assert split_sources("::a::") == ("a",)


def test_folder_holds_one_secret_a_file(tmp_path: Path) -> None:
    """As Docker and Kubernetes mount them: hidden folders, links, one final newline."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "k8s").write_text("value\n")
    (tmp_path / "k8s").symlink_to("..data/k8s")
    (tmp_path / "two.lines").write_text("a\nb\n\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "mcp_secret").write_text("github.token=bundled\nk8s=loses\n")
    assert read_source(tmp_path).values == {
        "k8s": "value",
        "two.lines": "a\nb\n",
        "github.token": "bundled",
    }


def test_file_is_a_dotenv(tmp_path: Path) -> None:
    """Also where its name says nothing."""
    (tmp_path / "mcp_secret").write_text("a.b='c'\n")
    assert read_source(tmp_path / "mcp_secret").values == {"a.b": "c"}
    with pytest.raises(FileNotFoundError):
        read_source(tmp_path / "nowhere")


def test_unusable_sources_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too long, not text, too many, no assignments; never what they hold."""
    (tmp_path / "long").write_text("x" * (MAX_SECRET_BYTES + 1))
    (tmp_path / "binary").write_bytes(b"\xffsecret")
    (tmp_path / "wrong").write_text("secret")
    for name, part in [("long", "longer than"), ("binary", "UTF-8"), ("wrong", "NAME=value")]:
        with pytest.raises(SecretError, match=part) as caught:
            read_source(tmp_path / name)
        assert "xsecret" not in str(caught.value)
        assert caught.value.__cause__ is None
    monkeypatch.setattr(module, "MAX_SECRET_FILES", 2)
    with pytest.raises(SecretError, match="more than 2 files"):
        read_source(tmp_path)


def test_first_source_wins_then_the_environment() -> None:
    """Each source is asked for the name, then for the variable."""
    first, second = (
        SecretSource("one", {"GITHUB_TOKEN": "1"}),
        SecretSource("two", {"github.token": "2"}),
    )
    environ = {"GITHUB_TOKEN": "env", "github.token": "never"}
    assert Secrets((first, second), environ).lookup(USE, LOCAL) == "1"
    assert Secrets((second, first), environ).where(USE, LOCAL) == "two"
    assert Secrets((), environ).lookup(USE, LOCAL) == "env"
    assert Secrets((), environ).where(USE, LOCAL) == "environment"
    assert Secrets((), {}).lookup(USE, LOCAL) is None
    assert (
        Secrets((SecretSource("empty", {"github.token": ""}), second), {}).lookup(USE, LOCAL) == "2"
    )


def test_catalogs_from_the_network_cannot_ask_for_variables() -> None:
    """They name secrets; what the variable is called is no key to anything."""
    source = SecretSource("s", {"AWS_SECRET_ACCESS_KEY": "aws", "github.token": "g"})
    secrets = Secrets((source,), {"AWS_SECRET_ACCESS_KEY": "aws"})
    greedy = SecretUse("innocent.name", "AWS_SECRET_ACCESS_KEY")
    assert secrets.lookup(greedy, LOCAL) == "aws"
    assert secrets.lookup(greedy, REMOTE) is None
    assert secrets.where(greedy, REMOTE) is None
    assert secrets.lookup(USE, REMOTE) == "g"


@pytest.mark.parametrize(
    "name", ["MCP_GATEWAY_AUTH_TOKEN", "MCPGW_HOME", "DOCKER_MCP_IN_CONTAINER"]
)
def test_our_own_variables_are_nobodys_secret(name: str) -> None:
    """The gateway's token opens the gateway."""
    assert Secrets((), {name: "x"}).lookup(SecretUse(name, name), LOCAL) is None


def test_nothing_shows_a_value() -> None:
    """Both appear in tracebacks."""
    source = SecretSource("label", {"a": "hidden"})
    assert "hidden" not in repr(source)
    assert "hidden" not in repr(Secrets((source,), {"b": "hidden"}))
