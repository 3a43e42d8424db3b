"""The command line's door. Grows its commands in files of their own."""

from __future__ import annotations

import sys

from gateway import __version__


def main() -> int:
    """Runs one command and returns its exit code."""
    if sys.argv[1:] == ["version"]:
        print(f"mcpgw {__version__}")
        return 0
    print("mcpgw: the only command so far is: version", file=sys.stderr)
    return 2
