"""What lies where in the state folder of a server: names that several rooms and commands must agree on."""

from collections.abc import Container
from pathlib import Path

SITE = "site"  # a folder: the site's key and certificate
NAMES = "names.jsonl"  # which host has which name
AGENT_FILE = "agent436.pyz"
ROSTER = "roster.json"
VITALS = "vitals.json"
POLLS = "polls"  # a folder
SWEEPS = "sweeps"  # a folder
TOKENS = "tokens.jsonl"
LINKS = "links.jsonl"


def left_over(folder: Path, names: Container[str]) -> list[Path]:
    """The state files `NAME.json` in a folder of what the settings name no more."""
    return [path for path in sorted(folder.glob("*.json")) if path.stem not in names]
