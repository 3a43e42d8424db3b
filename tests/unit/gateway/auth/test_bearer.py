"""The bearer token: where it comes from, who passes with it, and that it is never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.bearer import Bearer, Open, Token, load_token, new_token
from gateway.errors import OptionError, Unauthorized
from gateway.home import Home
from gateway.ports import ANYONE

KEY = b"0123456789abcdef"


@pytest.mark.parametrize("header", [b"Bearer s3cret", b"bearer s3cret", b"BEARER   s3cret "])
def test_the_scheme_is_case_insensitive(header: bytes) -> None:
    """RFC 9110 makes scheme names case-insensitive; Docker's gateway does not, ours does."""
    assert Bearer("s3cret", key=KEY).authenticate(header).name.startswith("token-")


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer s3cre",
        b"Bearer s3crett",
        b"Basic s3cret",
        b"s3cret",
        b"Bearer s3cret, Bearer s3cret",
        b"Bearer \xff\xfe",
    ],
)
def test_anything_else_is_unauthorized(header: bytes | None) -> None:
    """No header, half a token, another scheme, two tokens: none of them passes."""
    with pytest.raises(Unauthorized, match="mcpgw token show"):
        Bearer("s3cret", key=KEY).authenticate(header)


@given(st.binary())
def test_only_the_token_passes(shown: bytes) -> None:
    """Whatever the bytes, they are compared as a whole."""
    bearer = Bearer("s3cret", key=KEY)
    if shown.strip() == b"s3cret":
        bearer.authenticate(b"Bearer " + shown)
    else:
        with pytest.raises(Unauthorized):
            bearer.authenticate(b"Bearer " + shown)


def test_a_principal_is_stable_and_tells_nothing_of_the_token() -> None:
    """Equal tokens are one principal; another token or another home's key is another."""
    header = b"Bearer s3cret"
    name = Bearer("s3cret", key=KEY).authenticate(header).name
    assert name == Bearer("s3cret", key=KEY).authenticate(header).name
    assert name != Bearer("s3cret", key=b"other").authenticate(header).name
    assert name != Bearer("another", key=KEY).authenticate(b"Bearer another").name
    assert "s3cret" not in name


def test_everybody_is_one_principal_where_nothing_is_asked() -> None:
    """`--allow-unauthenticated` lets in callers with and without a header."""
    assert Open().authenticate(None) is ANYONE
    assert Open().authenticate(b"Bearer whatever") is ANYONE
    assert not Open.required


def test_no_repr_shows_the_token() -> None:
    """Objects end up in tracebacks and logs; the token must not."""
    assert "s3cret" not in repr(Bearer("s3cret", key=KEY))
    assert repr(Token("s3cret", "home")) == "Token(origin='home')"


def test_the_variable_wins_over_file_and_home(tmp_path: Path) -> None:
    """What is closest to the command line counts; white space around it does not."""
    (tmp_path / "token").write_text("from-home\n")
    environ = {
        "MCP_GATEWAY_AUTH_TOKEN": " from-env\n",
        "MCP_GATEWAY_AUTH_TOKEN_FILE": "/nowhere",
    }
    assert load_token(environ, Home(tmp_path)) == Token("from-env", "environment")


def test_the_file_wins_over_the_home(tmp_path: Path) -> None:
    """A mounted secret file is read without its closing newline."""
    (tmp_path / "token").write_text("from-home\n")
    file = tmp_path / "mounted"
    file.write_text("from-file\n")
    token = load_token({"MCP_GATEWAY_AUTH_TOKEN_FILE": str(file)}, Home(tmp_path))
    assert token == Token("from-file", "file")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"MCP_GATEWAY_AUTH_TOKEN": ""}, "MCP_GATEWAY_AUTH_TOKEN holds no token"),
        ({"MCP_GATEWAY_AUTH_TOKEN": "two words"}, "cannot be sent in a header"),
        ({"MCP_GATEWAY_AUTH_TOKEN": "café"}, "cannot be sent in a header"),
        ({"MCP_GATEWAY_AUTH_TOKEN_FILE": "/no/such/file"}, "/no/such/file .* cannot be read"),
    ],
)
def test_an_unusable_token_is_refused_by_name(
    tmp_path: Path, environ: dict[str, str], words: str
) -> None:
    """An empty variable is a mistake of the operator, not a wish for no authentication."""
    with pytest.raises(OptionError, match=words):
        load_token(environ, Home(tmp_path))


def test_a_token_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """A binary file is named, not crashed on."""
    file = tmp_path / "binary"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="it is not text"):
        load_token({"MCP_GATEWAY_AUTH_TOKEN_FILE": str(file)}, Home(tmp_path))


def test_the_home_keeps_a_generated_token_private(tmp_path: Path) -> None:
    """It is made once, with mode 0600, in a home that need not exist, and reused."""
    home = Home(tmp_path / "new")
    first = load_token({}, home)
    assert first.origin == "home"
    assert home.token.stat().st_mode & 0o777 == 0o600
    assert load_token({}, home) == first
    assert [file.name for file in home.root.iterdir()] == ["token"]


def test_a_token_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    """A file copied with the wrong mode is tightened, not believed to be safe."""
    home = Home(tmp_path)
    home.token.write_text("shared\n")
    home.token.chmod(0o644)
    assert load_token({}, home).value == "shared"
    assert home.token.stat().st_mode & 0o777 == 0o600


def test_an_empty_token_file_in_the_home_is_filled(tmp_path: Path) -> None:
    """A crash between creation and writing must not leave a gateway that nobody can reach."""
    home = Home(tmp_path)
    home.token.touch()
    token = load_token({}, home)
    assert token.value
    assert load_token({}, home) == token


def test_a_pipe_in_the_place_of_the_token_is_refused(tmp_path: Path) -> None:
    """Nobody waits for what it will never say."""
    home = Home(tmp_path)
    os.mkfifo(home.token)
    with pytest.raises(OptionError, match="is no token file"):
        load_token({}, home)


def test_a_token_in_the_home_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """With a sentence, as any other that no header can hold."""
    home = Home(tmp_path)
    home.token.write_bytes(b"\xff\xfe")
    with pytest.raises(OptionError, match="cannot be sent in a header"):
        load_token({}, home)


def test_a_home_that_cannot_be_written_gives_a_token_for_one_run(tmp_path: Path) -> None:
    """A read-only home (here: a file where the folder should be) still gets a protected gateway."""
    blocked = tmp_path / "file"
    blocked.touch()
    assert load_token({}, Home(blocked)).origin == "memory"


def test_tokens_are_long_and_differ() -> None:
    """256 bits, safe in URLs, headers and shells."""
    first, second = new_token(), new_token()
    assert first != second
    assert len(first) >= 43
    assert first.replace("-", "").replace("_", "").isalnum()
