"""`python -m gateway`: the program from a source tree."""

from __future__ import annotations

import sys

from gateway.cli.main import main

sys.exit(main())
