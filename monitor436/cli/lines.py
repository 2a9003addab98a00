"""Events as people read them on a terminal."""

import os
import sys

import click

from monitor436.model.event import Event

COLOURS = {"info": "green", "warning": "yellow", "critical": "red"}
RANKS = {severity: rank for rank, severity in enumerate(COLOURS)}


def shown(event: Event, width: int = 10) -> str:
    """One event as one line: time (local), severity, host, kind or check, text. Nothing in it moves the cursor."""
    when = event.time.astimezone().strftime("%m-%d %H:%M:%S") if event.time else ""
    host = speaker(event)
    about = f"{event.kind} {event.check}".strip()
    severity = click.style(f"{event.severity:8}", fg=COLOURS[event.severity])
    return f"{when}  {severity}  {plain(host):{width}}  {plain(about):24}  {plain(event.text)}"


def speaker(event: Event) -> str:
    """The host that an event is about, or "@" and the name of the server where it is about none."""
    return event.host or event.id.partition("/")[0]


def plain(text: str) -> str:
    """Text in which whatever is not printable is spelt out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def say(text: str) -> None:
    """A line on standard output, coloured only if that is a terminal and NO_COLOR is not set (no-color.org)."""
    click.echo(text, color=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
