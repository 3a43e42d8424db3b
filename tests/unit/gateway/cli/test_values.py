"""How single values of flags are read."""

from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest

from gateway.cli.values import comma_list, cpus, duration, memory, port


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (port, "0", 0),
        (port, "65535", 65535),
        (duration, "10", 10.0),
        (duration, "1.5s", 1.5),
        (duration, "500ms", 0.5),
        (duration, "2m", 120.0),
        (duration, "1h", 3600.0),
        (cpus, "0.5", 0.5),
        (cpus, "2", 2.0),
        (memory, "512M", 512 * 1024**2),
        (memory, "2Gb", 2 * 1024**3),
        (memory, "1.5GiB", 1536 * 1024**2),
        (memory, "8388608", 8 * 1024**2),
        (cpus, "500m", 0.5),
        (comma_list, " a , b,,", ["a", "b"]),
        (comma_list, "", []),
    ],
)
def test_values_are_read(read: Callable[[str], object], text: str, value: object) -> None:
    """The spellings that people use mean what they mean elsewhere."""
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (port, "-1"), (port, "65536"), (port, "http"), (port, "٣"),
        (duration, "soon"), (duration, "-1s"), (duration, "inf"),
        (cpus, "0"), (cpus, "-1"), (cpus, "nan"), (cpus, "inf"), (cpus, "two"),
        (memory, "0"), (memory, "big"), (memory, "-1M"), (memory, "1X"),
        (comma_list, "a\rb"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_named(read: Callable[[str], object], text: str) -> None:
    """What cannot be meant is refused with the text that was given."""
    with pytest.raises(ArgumentTypeError, match=r"must be|is not"):
        read(text)
