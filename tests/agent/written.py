"""Checks for tests, as a plan would have them."""

from typing import Any

from monitor436.agent import plan


def check(name: str, **fields: object) -> Any:
    """The check that these fields of a plan mean."""
    return plan.read({"checks": [dict(fields, name=name)]}).checks[0]
