"""An operator's act: written down for a server to make an event of."""

import os
import pwd
import secrets
import time
from pathlib import Path

import click

from monitor436.acts import ACTS, Act, Acts
from monitor436.model.event import Field
from monitor436.model.settings.whole import Settings

MOST_TEXT = 512  # bytes


def act(
    settings: Settings, kind: str, text: str, host: str = "", check: str = "", fields: dict[str, Field] | None = None
) -> None:
    """Write one down. Ends the command if that cannot be."""
    if len(text.encode()) > MOST_TEXT:
        raise click.UsageError(f"the text is longer than {MOST_TEXT} bytes")
    path = Path(settings.state) / ACTS
    try:
        Acts(path).add(Act(secrets.token_hex(8), kind, time.time(), operator(), host, check, text, fields or {}))
    except OSError as problem:
        raise click.ClickException(f"{path}: {problem.strerror}") from None


def operator() -> str:
    """Who does it: the name of the user of this machine, behind sudo if need be."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
