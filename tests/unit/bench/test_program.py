"""The gateway as a program."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.program import ROOT, GatewayHome, Program


def test_a_source_tree_is_run_wherever_the_harness_was_started(tmp_path: Path) -> None:
    """In the repository, too, whose own packages would come first: two builds would be one, and cost the same."""
    package = tmp_path / "tree" / "gateway" / "cli"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text("print('another build')", encoding="utf-8")
    program, home = Program(tmp_path / "tree"), GatewayHome(tmp_path / "home", "image", 0)
    said = subprocess.run(
        program.run(),
        cwd=ROOT,
        env=program.environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout == "another build\n"
