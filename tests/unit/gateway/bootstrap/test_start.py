"""The checks before a start."""

from __future__ import annotations

import sys

import pytest

from gateway.bootstrap.start import Build, isolated, misfit, this_platform

HERE = (sys.version_info[0], sys.version_info[1])
FIT = Build("0123456789abcdef", this_platform(), (HERE,), (2, 0))


def test_a_file_that_was_built_here_fits() -> None:
    """Nothing is said where nothing is wrong."""
    assert misfit(FIT) is None


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            FIT._replace(platform="linux-vax-glibc"),
            ["linux-vax-glibc", this_platform(), "make pyz"],
        ),
        (FIT._replace(pythons=((3, 9), (3, 10))), [f"Python {HERE[0]}.{HERE[1]}", "python3.10 "]),
        (FIT._replace(glibc=(99, 1)), ["glibc", "99.1", "container image"]),
    ],
)
def test_a_misfit_is_one_sentence_that_says_what_to_do(build: Build, words: list[str]) -> None:
    """What was built, what is here, and the way out."""
    sentence = misfit(build)
    assert sentence is not None
    assert all(word in sentence for word in words)
    assert "\n" not in sentence


def test_the_platform_has_system_architecture_and_libc() -> None:
    """Each of them decides which wheels load."""
    assert this_platform().count("-") == (2 if sys.platform == "linux" else 1)


def test_only_the_standard_library_stays_on_the_path() -> None:
    """Installed packages and PYTHONPATH are not mixed with what the file brings."""
    paths = [
        "/home/someone/lib",
        "/usr/lib/python311.zip",
        "/usr/lib/python3.11",
        "/usr/lib/python3.11/lib-dynload",
        "/usr/local/lib/python3.11/dist-packages",
        "/venv/lib/python3.11/site-packages",
    ]
    assert isolated(paths, "/home/someone/lib:") == paths[1:4]
