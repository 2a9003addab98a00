"""`monitor436 status`: how everything is, at a glance."""

import sys
import time
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import click
from msgspec import json, structs

from monitor436.acts import ACTS, Acts
from monitor436.cli.lines import COLOURS, plain, say
from monitor436.cli.settings_option import settings_option
from monitor436.cli.strangers import note_strangers
from monitor436.model.settings.whole import Settings
from monitor436.model.status.board import Board
from monitor436.model.status.change import UNREADABLE, Subject
from monitor436.model.status.overview import Overview, Trouble, overview
from monitor436.model.status.silences import Silence
from monitor436.model.words import count, span
from monitor436.services.board import STATUS, rebuild

STATES = ("up", "late", "flapping", "down", "stopped")
HELD = {"silenced": "silenced", "acknowledged": "acknowledged", "behind": "behind another"}
LEVELS = {"info": "well", "warning": "warning", "critical": "critical"}


@click.command()
@settings_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option("--host", "hosts", multiple=True, metavar="PATTERN", help="Troubles of these hosts; may be repeated.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also what is silenced, acknowledged or explained.")
def status(settings: Settings, as_json: bool, hosts: tuple[str, ...], everything: bool) -> None:
    """Show hosts and checks by state, and what is bad; from the server's files, whether it runs or not.

    Exit status 0 if nothing is bad but what is silenced, acknowledged or stands behind something else, 1 if anything
    is.

    \b
    monitor436 status
    monitor436 status --host 'web*' --all
    """
    found = seen(settings)
    note_strangers(hosts, found.standings.hosts)
    now = time.time()
    view = overview(found, now)
    wanted = [each for each in view.troubles if not hosts or any(fnmatchcase(each.host, one) for one in hosts)]
    view = structs.replace(view, troubles=wanted)
    if as_json:
        click.echo(json.encode(view))
    else:
        for line in _lines(view, now, everything):
            say(line)
    sys.exit(1 if view.open else 0)


def seen(settings: Settings) -> Board:
    """The board as the files of a server leave it, with what operators decided just now. Ends the command if there
    are none."""
    file = Path(settings.events.file)
    if not file.exists():
        raise click.ClickException(f"{file} does not exist: has the server been started?")
    board = Board(settings.status)
    try:
        rebuild(board, file, Path(settings.state) / STATUS)
        for act in Acts(Path(settings.state) / ACTS).read(board.acted):
            board.take(act.event(), act.at)
    except OSError as problem:
        raise click.ClickException(f"{problem.filename or file}: {problem.strerror}") from None
    return board


def silence_line(silence: Silence, now: float) -> str:
    """A silence, for people."""
    names = {"host": silence.host, "check": silence.check, "tag": silence.tag, "severity": silence.severity}
    what = "  ".join(f"{name} {value}" for name, value in names.items() if value)
    return plain(f"{silence.id}  {what}  for {span(silence.until - now)} more, by {silence.by}: {silence.why}")


def _lines(view: Overview, now: float, everything: bool) -> list[str]:
    hosts = [f"{view.hosts[state]} {state}" for state in STATES if view.hosts.get(state)]
    checks = [f"{view.checks[level]} {name}" for level, name in LEVELS.items() if view.checks.get(level)]
    lines = [
        f"{count(sum(view.hosts.values()), 'host')}: {', '.join(hosts) or 'none heard'}",
        f"{count(sum(view.checks.values()), 'check')}: {', '.join(checks) or 'none told of'}",
    ]
    shown = view.troubles if everything else view.open
    lines += [_line(each, now) for each in shown]
    held = Counter(each.held.partition(" ")[0] for each in view.troubles if each.held and not everything)
    if held:
        ways = ", ".join(f"{held[way]} {name}" for way, name in HELD.items() if held[way])
        lines.append(
            click.style(f"and {count(held.total(), 'trouble')} that nobody is told of: {ways} (--all)", dim=True)
        )
    lines += [f"silence {silence_line(each, now)}" for each in view.silences]
    return lines


def _line(each: Trouble, now: float) -> str:
    subject = str(Subject(each.host, each.check, each.of))
    level = click.style(f"{each.severity:8}", fg=COLOURS[each.severity])
    more = f"  [{each.held}]" if each.held else "  [flapping]" if each.flaps else ""
    text = each.text if each.of != UNREADABLE else each.text.removeprefix(f"{each.check.removeprefix('log ')}: ")
    return f"{level}  {span(now - each.since):>8}  {plain(subject):24}  {plain(text + more)}"
