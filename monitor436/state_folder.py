"""What lies where in the state folder of a server, on which several rooms and commands must agree; and the state
files in it that are replaced whole. These are not synced: after a power cut they say nothing that matters.
"""

import os
from collections.abc import Container
from pathlib import Path
from typing import TypeVar

from msgspec import MsgspecError, json

Kept = TypeVar("Kept")

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


def replace_kept(path: Path, kept: object) -> None:
    """Make this what the file holds, and never half of it. Raises OSError."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(json.encode(kept))
    os.replace(new, path)


def read_kept(path: Path, kind: type[Kept]) -> Kept | None:
    """What a file holds; None where there is nothing, or nothing that can be read."""
    try:
        return json.decode(path.read_bytes(), type=kind)
    except (OSError, MsgspecError):
        return None
