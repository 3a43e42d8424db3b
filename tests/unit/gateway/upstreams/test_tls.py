"""Remote servers over TLS: whom we trust is the machine's decision."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from gateway.jsonrpc.messages import Result
from tests.unit.gateway.upstreams.running import answer, call, failed, running


async def test_an_unknown_certificate_is_refused(tls: ssl.SSLContext) -> None:
    """The failure names it; nothing was sent, above all no header."""
    async with running(answer, headers={"X-Key": "k"}, tls=tls) as (pipe, server):
        message = (await failed(pipe)).message
    assert "cannot be reached: its certificate is not trusted" in message
    assert "SSL_CERT_FILE" in message
    assert server.requests == []


async def test_a_certificate_that_the_environment_trusts_is_accepted(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SSL_CERT_FILE`, as for every other program."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with running(answer, tls=tls) as (pipe, server):
        assert isinstance(await call(pipe, 1), Result)
        assert isinstance(await call(pipe, 2), Result)
    assert server.connections == 1
