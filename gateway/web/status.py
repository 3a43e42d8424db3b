"""The state of the gateway as JSON. Names servers and counts calls: only for who may use the gateway, which its caller sees to."""

from __future__ import annotations

import msgspec

from gateway.ports import Health
from gateway.web.page import Page

_OK = 200


def status_page(health: Health) -> Page:
    """What `Health.report` says, as one line."""
    return Page(_OK, "application/json", msgspec.json.encode(health.report()) + b"\n")
