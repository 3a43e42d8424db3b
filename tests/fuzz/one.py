"""One target under the fuzzer, which watches the branches of `gateway`: `python -m tests.fuzz.one TARGET [libFuzzer's flags]`."""

from __future__ import annotations

import logging
import sys

import atheris

with atheris.instrument_imports(include=["gateway"]):
    from tests.fuzz.table import TARGETS


def main() -> None:
    """Never returns: the fuzzer ends the process."""
    # What is logged of strangers' bytes is bounded elsewhere, and would be all that is seen here.
    logging.disable(logging.CRITICAL)
    program, name, *flags = sys.argv
    atheris.Setup([program, *flags], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
