"""Which messages pass."""

import pytest

from gateway.mcp.log_levels import LEVELS, known, most_talkative, passes


def test_levels_are_those_of_syslog() -> None:
    """RFC 5424, without numbers."""
    assert len(LEVELS) == 8
    assert known("notice")
    assert not known("verbose")


@pytest.mark.parametrize(
    ("level", "threshold", "passed"),
    [
        ("info", "info", True),
        ("error", "info", True),
        ("debug", "info", False),
        ("emergency", None, False),
        ("verbose", "emergency", True),
        ("debug", "verbose", True),
    ],
)
def test_a_message_passes_from_its_threshold_on(
    level: str, threshold: str | None, *, passed: bool
) -> None:
    """None wants nothing; what nobody knows is rather shown."""
    assert passes(level, threshold) is passed


def test_one_server_is_asked_for_what_all_of_its_clients_want() -> None:
    """Each client's messages are sorted out later."""
    assert most_talkative(["error", None, "info"]) == "info"
    assert most_talkative([None]) is None
    assert most_talkative([]) is None
