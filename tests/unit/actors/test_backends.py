"""Where servers run, as far as no engine is needed to see it."""

from __future__ import annotations

import logging

import pytest

from actors.backends import stderr_log


@pytest.mark.parametrize(("verbose", "level"), [(True, logging.INFO), (False, logging.DEBUG)])
def test_what_servers_write_to_stderr_is_shown_with_verbose(
    caplog: pytest.LogCaptureFixture, *, verbose: bool, level: int
) -> None:
    """Otherwise only with `--debug`."""
    with caplog.at_level(logging.DEBUG, logger="mcpgw"):
        stderr_log(verbose=verbose)("dice", "rolling")
    (record,) = caplog.records
    assert (record.levelno, record.message) == (level, "server_stderr")
