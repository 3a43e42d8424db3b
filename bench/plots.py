"""Writes the plots of the reference run: matplotlib, pinned, in a virtual environment of its own that is kept."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.charts import Chart
from bench.errors import NotHere
from tests.clients import client_venv

PLOTS: Final = Path(__file__).parent.parent / "docs" / "plots"
_REQUIREMENT: Final = "matplotlib==3.11.2"
_SCRIPT: Final = Path(__file__).with_name("draw.py")


def draw_charts(charts: Sequence[Chart], folder: Path = PLOTS) -> None:
    """Each chart as SVG and PNG.

    Raises:
        NotHere: matplotlib cannot be installed here, or does not draw.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        python = client_venv(_REQUIREMENT)
        subprocess.run(
            [str(python), str(_SCRIPT), str(folder)],
            input=msgspec.json.encode(charts),
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NotHere(f"no plots without {_REQUIREMENT}: {error}") from error
