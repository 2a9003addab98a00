"""`monitor436 tail`: the events file as people read it."""

import fnmatch
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import click
from msgspec import MsgspecError

from monitor436.agent.event import METRIC
from monitor436.binder import DEFAULT, bind, load
from monitor436.cli.lines import RANKS, plain, say, shown, speaker
from monitor436.cli.settings_option import SettingsFile
from monitor436.cli.strangers import note_strangers
from monitor436.model.event import KINDS, Event, read_line
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError, Source
from monitor436.names import Names
from monitor436.services.liveness import read_snapshot
from monitor436.state_folder import NAMES, ROSTER
from monitor436.yaml_source import read_source

POLL = 0.2  # seconds between looks at the file


class _Places(SettingsFile):
    """Settings in which mistakes are told and do no harm: a server that runs goes on, and so do its events."""

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Settings:
        try:
            return value if isinstance(value, Settings) else load(value, Settings)
        except SettingsError as wrong:
            found = _places(value)
            if found is None:
                return super().convert(value, param, context)
            for problem in wrong.problems:
                click.echo(str(problem), err=True)
            return found


def _places(path: str) -> Settings | None:
    """The defaults, but for where the settings have the state folder and the events file; None if they do not say."""
    try:
        source = read_source(path)
        events = source.tree.get("events") or {}
        if not isinstance(events, dict):
            return None
        tree = {"state": source.tree.get("state"), "events": {"file": events.get("file")}}
        told = Source(source.file, tree, source.keys, source.values, [])
        return bind(told, Settings, os.path.dirname(os.path.abspath(path)))
    except SettingsError:
        return None


@click.command()
@click.option(
    "-c", "--config", "settings", type=_Places(), default=DEFAULT, show_default=True, help="The settings file."
)
@click.option("-f", "--follow", is_flag=True, help="Go on as events come, through rotation.")
@click.option(
    "-n", "--lines", "most", type=click.IntRange(min=0), default=20, show_default=True, help="How many past events."
)
@click.option(
    "--host", "hosts", multiple=True, metavar="PATTERN", help='Only of these hosts, such as "web*"; may be repeated.'
)
@click.option("--check", "checks", multiple=True, metavar="PATTERN", help="Only of these checks; may be repeated.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(sorted(KINDS)), metavar="KIND", help="Only these kinds."
)
@click.option("--tag", "tags", multiple=True, help="Only what has one of these tags; may be repeated.")
@click.option("--severity", type=click.Choice(list(RANKS)), default="info", show_default=True, help="This or worse.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they stand in the file.")
def tail(
    settings: Settings,
    follow: bool,
    most: int,
    hosts: tuple[str, ...],
    checks: tuple[str, ...],
    kinds: tuple[str, ...],
    tags: tuple[str, ...],
    severity: str,
    as_json: bool,
) -> None:
    """Show the last events, and with -f the next ones. Metrics are shown if their kind is asked for.

    \b
    monitor436 tail -f
    monitor436 tail -n 1000 --host 'web*' --severity critical --json | jq .text
    """
    path = Path(settings.events.file)
    if not path.exists():
        raise click.ClickException(f"{path} does not exist: has the server been started?")

    speakers: set[str] = set()

    def wanted(event: Event) -> bool:
        speakers.add(speaker(event))
        return (
            (event.kind in kinds if kinds else event.kind != METRIC)
            and RANKS[event.severity] >= RANKS[severity]
            and (not hosts or any(fnmatch.fnmatchcase(speaker(event), pattern) for pattern in hosts))
            and (not checks or any(fnmatch.fnmatchcase(event.check, pattern) for pattern in checks))
            and (not tags or bool(set(tags) & set(event.tags)))
        )

    past: list[str] = []
    try:
        for line, is_past in _lines(path, follow):
            text = _text(line, wanted, as_json)
            if text is None:
                continue
            if is_past:
                past.append(text)
                past = past[-most:] if most else []
            else:
                for each in past:
                    say(each)
                past = []
                if text:
                    say(text)
                else:
                    note_strangers(hosts, speakers | _known(settings))
        for each in past:
            say(each)
        note_strangers(hosts, speakers | _known(settings))
    except KeyboardInterrupt:
        pass


def _known(settings: Settings) -> set[str]:
    """Who may be asked for without having an event in the file."""
    state = Path(settings.state)
    snapshot = read_snapshot(state / ROSTER)
    named = {seen.name for seen in snapshot.hosts} | {f"@{snapshot.server}"} if snapshot else set()
    with suppress(OSError):
        named |= {bound.name for bound in Names(state / NAMES).read()}
    return named


def _text(line: bytes, wanted: object, as_json: bool) -> str | None:
    """What is shown of a line; None for nothing, "" for the end of the past."""
    if not line:
        return ""
    try:
        event = read_line(line)
    except MsgspecError:
        return (
            None if as_json else click.style(f"not an event: {plain(line.decode(errors='replace').strip())}", dim=True)
        )
    if not wanted(event):  # type: ignore[operator]
        return None
    return line.decode().rstrip("\n") if as_json else shown(event)


def _lines(path: Path, follow: bool) -> Iterator[tuple[bytes, bool]]:
    """(line, whether it was there already); an empty line when the past is over. Follows the name, not the file."""
    past, part = True, b""
    file: BinaryIO = open(path, "rb")  # noqa: SIM115  it is another one after each rotation
    try:
        while True:
            replaced = _replaced(file, path)  # if so, nothing comes to it any more, and its rest is read now
            for line in file:
                part += line
                if part.endswith(b"\n"):
                    yield part, past
                    part = b""
            if not follow:
                return
            if past:
                past = False
                yield b"", False
            if replaced:
                read, part = file, b""
                file = _next(read, path)
                read.close()
            else:
                time.sleep(POLL)
    finally:
        file.close()


def _replaced(file: BinaryIO, path: Path) -> bool:
    try:
        return not os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _next(read: BinaryIO, path: Path) -> BinaryIO:
    """The file that was begun after this one, which may be rotated away at any moment."""
    while True:
        name = _after(read, path)
        with suppress(FileNotFoundError):
            file = open(name, "rb")  # noqa: SIM115  whoever asked closes it
            if _after(read, path) == name:
                return file
            file.close()


def _after(read: BinaryIO, path: Path) -> Path:
    """Its name at present; that of a file that was packed meanwhile is passed over."""
    this = os.fstat(read.fileno())
    for before, after in pairwise([*sorted(path.parent.glob(path.name + ".[0-9]*")), path]):
        with suppress(FileNotFoundError):
            if after.suffix != ".gz" and os.path.samestat(this, os.stat(before)):
                return after
    return path
