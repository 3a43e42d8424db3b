"""`python -m tests.e2e.matrix`: writes the table of clients into docs/protocol.md."""

from __future__ import annotations

from tests.e2e.matrix.table import PAGE, replaced

PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
