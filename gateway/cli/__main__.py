"""`python -m gateway.cli`: the console script without an installation."""

import sys

from gateway.cli.main import main

sys.exit(main())
