"""`monitor436 top`: how everything is, live in a terminal."""

import sys
import time
from collections import deque
from pathlib import Path

import click
from msgspec import MsgspecError
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from monitor436.agent.event import METRIC
from monitor436.cli.lines import COLOURS, plain, speaker
from monitor436.cli.settings_option import settings_option
from monitor436.event_pages import EventPages
from monitor436.journal import Journal
from monitor436.model.event import Event, read_line
from monitor436.model.settings.whole import Settings
from monitor436.model.status.board import Board
from monitor436.model.status.change import Subject
from monitor436.model.status.overview import Overview, Trouble, overview
from monitor436.model.words import count, span
from monitor436.past_events import PastEvents
from monitor436.services.board import STATUS, rebuild

EVENTS = 8  # the last ones, below the troubles
LEAST = 3  # troubles that are shown however small the terminal is
AROUND = 6  # lines of heads and gaps
STATES = {"up": "green", "late": "yellow", "flapping": "yellow", "down": "bold red", "stopped": "dim"}


@click.command()
@settings_option
@click.option(
    "--every", type=click.FloatRange(min=0.2, max=3600), default=1.0, show_default=True, help="Seconds between looks."
)
@click.option("--once", is_flag=True, help="Show it once, and end; also where there is no terminal.")
def top(settings: Settings, every: float, once: bool) -> None:
    """Show hosts and checks by state, what is bad, and the last events, as they change. Ctrl-C ends it.

    It reads the server's files, as `monitor436 status` does.

    \b
    monitor436 top
    """
    file = Path(settings.events.file)
    if not file.exists():
        raise click.ClickException(f"{file} does not exist: has the server been started?")
    console = Console(file=sys.stdout)
    seen = Seen(settings, file)
    try:
        seen.begin()
        if once or not console.is_terminal:
            console.print(seen.drawn(console.height if console.is_terminal else 10_000))
            return
        with Live(seen.drawn(console.height), console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                seen.look()
                live.update(seen.drawn(console.height), refresh=True)
    except KeyboardInterrupt:
        return


class Seen:
    """The board and the last events, as the files have them."""

    def __init__(self, settings: Settings, file: Path) -> None:
        self._file = file
        kept = settings.events
        journal = Journal(file, kept.rotate_at, kept.rotate_every, kept.keep)
        self._pages = EventPages(lambda: [*journal.rotated(), file])
        self._keeps = Path(settings.state) / STATUS
        self._board = Board(settings.status)
        self._last = ""
        self._events: deque[Event] = deque(maxlen=EVENTS)

    def begin(self) -> None:
        """Read what is there."""
        self._last = rebuild(self._board, self._file, self._keeps)[0]
        self._events.extend(map(read_line, self._pages.before("", EVENTS, _shown).lines))

    def look(self) -> None:
        """Read what came since. The place is looked for anew each time: files may have been rotated."""
        past, now = PastEvents(self._file), time.time()
        place = past.place(self._last)
        for event, _ in past.after(place) if place or not self._last else ():
            self._board.take(event, now)
            self._last = event.id
            if event.kind != METRIC and event not in self._events:  # it came while the others were read
                self._events.append(event)
        self._board.turn(now)

    def drawn(self, height: int) -> Group:
        """All of it, in so many lines."""
        now = time.time()
        view = overview(self._board, now)
        room = max(LEAST, height - AROUND - len(self._events))
        parts = [_head(view), Text(), _troubles(view.open[:room], now)]
        more = len(view.open) - room
        if more > 0:
            parts.append(Text(f"and {count(more, 'more trouble')}: monitor436 status", "dim"))
        if self._events:
            parts += [Text(), _last_events(self._events)]
        return Group(*parts)


def _shown(line: bytes) -> bool:
    """Whether a line of the events file is shown among the last events."""
    try:
        return read_line(line).kind != METRIC
    except MsgspecError:
        return False


def _head(view: Overview) -> Text:
    head = Text()
    for state, style in STATES.items():
        if view.hosts.get(state):
            head.append(f"{view.hosts[state]:,} {state}   ", style)
    for level in ("critical", "warning"):
        if view.checks.get(level):
            head.append(f"{count(view.checks[level], 'check')} {level}   ", COLOURS[level])
    held = len(view.troubles) - len(view.open)
    if held:
        head.append(f"{held:,} not told of   ", "dim")
    if view.silences:
        head.append(count(len(view.silences), "silence"), "dim")
    return head if head.plain else Text("no host has been heard yet", "dim")


def _troubles(troubles: list[Trouble], now: float) -> Table | Text:
    if not troubles:
        return Text("nothing is bad", "green")
    table = _table()
    for each in troubles:
        subject = str(Subject(each.host, each.check, each.of))
        since = Text(span(now - each.since), "dim", justify="right")
        table.add_row(Text(each.severity, COLOURS[each.severity]), since, Text(plain(subject)), Text(plain(each.text)))
    return table


def _last_events(events: deque[Event]) -> Table:
    table = _table()
    for event in reversed(events):
        when = event.time.astimezone().strftime("%H:%M:%S") if event.time else ""
        about = Text(plain(f"{speaker(event)} {event.kind}"))
        table.add_row(Text(event.severity, COLOURS[event.severity]), Text(when, "dim"), about, Text(plain(event.text)))
    return table


def _table() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, expand=True)
    for ratio in (None, None, 2, 5):
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio)
    return table
