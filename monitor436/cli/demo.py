"""`monitor436 demo`: the whole system at work on this machine, and the proof that it works."""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from twisted.python.failure import Failure

from monitor436.cli.lines import COLOURS, plain
from monitor436.demo.script import STEPS, Missed
from monitor436.demo.stage import Stage
from monitor436.model.event import Event

SHOWN = 12  # events on the panel
MARKS = {"waits": "·", "runs": "…", "done": "✓", "missed": "✗"}
STYLES = {"waits": "dim", "runs": "yellow", "done": "green", "missed": "bold red"}


class Panel:
    """The steps and the last events: redrawn on a terminal, a line each elsewhere."""

    def __init__(self, console: Console) -> None:
        self.states = {name: ("waits", "") for name, _ in STEPS}
        self._console = console
        self._first = ""
        self._events: list[Event] = []
        self._live = (
            Live(console=console, get_renderable=self._drawn, refresh_per_second=8) if console.is_terminal else None
        )

    def __enter__(self) -> "Panel":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def first(self, text: str) -> None:
        """What stands above everything."""
        self._first = text
        if not self._live:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def step(self, name: str, state: str, said: str = "") -> None:
        """A step has come to `state`, and what it says of itself."""
        self.states[name] = state, said
        if not self._live and state != "runs":
            self._console.print(f"{MARKS[state]} {name}: {said}", markup=False, highlight=False, soft_wrap=True)

    def events(self, events: Sequence[Event]) -> None:
        """Events became durable."""
        self._events = [*self._events, *events][-SHOWN:]

    def _drawn(self) -> Group:
        steps = Table(box=None, show_header=False, pad_edge=False)
        for name, (state, said) in self.states.items():
            steps.add_row(Text(MARKS[state], STYLES[state]), Text(name, STYLES[state]), Text(plain(said)))
        events = Table(box=None, show_header=False, pad_edge=False)
        for event in self._events:
            when = event.time.astimezone().strftime("%H:%M:%S") if event.time else ""
            severity = Text(event.severity, COLOURS[event.severity])
            events.add_row(
                Text(when, "dim"), severity, Text(event.host or "demo"), Text(event.kind), Text(plain(event.text))
            )
        return Group(Text(self._first, "bold"), Text(), steps, Text(), events)


@click.command()
@click.option("--check", is_flag=True, help="End after the last step; exit status 1 if one did not happen.")
@click.option(
    "--for", "seconds", type=click.FloatRange(min=1), default=45.0, show_default=True, help="How long it runs."
)
@click.option("--wrong-key", is_flag=True, help="Give the agents another site's key: to see that --check can fail.")
def demo(check: bool, seconds: float, wrong_key: bool) -> None:
    """Show a server and three agents at work, on loopback and in a temporary folder.

    Every part is the real one: the agents find the server by broadcast, join it over TLS, fetch plans, follow a log.

    \b
    monitor436 demo
    monitor436 demo --check && echo it works
    """
    from twisted.internet import reactor

    from monitor436.cli.here import only_problems

    only_problems()
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="monitor436-demo-") as folder, Panel(Console()) as panel:
        stage = Stage(Path(folder), reactor, lambda line: None, wrong_key)
        stage.monitor.bus.subscribe(panel.events)
        rehearsal = Rehearsal(stage, panel, missed)
        reactor.callWhenRunning(rehearsal.begin, reactor, None if check else seconds)
        reactor.addSystemEventTrigger("before", "shutdown", rehearsal.end)
        reactor.run()
    if not rehearsal.finished and not missed:
        click.echo("interrupted", err=True)
        sys.exit(130)
    click.echo(
        f"{len(STEPS) - len(missed)} of {len(STEPS)} steps happened" + (f"; not: {', '.join(missed)}" if missed else "")
    )
    sys.exit(1 if missed else 0)


class Rehearsal:
    """Plays the steps one after another; after one that did not happen, the rest cannot."""

    def __init__(self, stage: Stage, panel: Panel, missed: list[str]) -> None:
        self.finished = False
        self._stage = stage
        self._panel = panel
        self._missed = missed

    def begin(self, reactor: Any, seconds: float | None) -> None:
        """Start; end after `seconds`, or after the last step if that is None."""
        from twisted.internet.defer import ensureDeferred

        self._began = time.monotonic()
        self._stage.monitor.startService()
        door = self._stage.monitor.getServiceNamed("http")
        self._panel.first(f"dashboard: http://{door.address}:{door.port}/")
        played = ensureDeferred(self._play())

        def over(outcome: object) -> None:
            if isinstance(outcome, Failure):
                self._missed.append(str(outcome.value))
                outcome.printTraceback(sys.stderr)
            rest = 0.0 if seconds is None else seconds - (time.monotonic() - self._began)
            reactor.callLater(max(0.0, rest), reactor.stop)

        played.addBoth(over)

    def end(self) -> Any:
        """Stop agents and server."""
        self._stage.stop()
        return self._stage.monitor.stopService()

    async def _play(self) -> None:
        for name, step in STEPS:
            if self._missed:
                self._missed.append(name)
                self._panel.step(name, "missed", "not tried")
                continue
            self._panel.step(name, "runs")
            try:
                self._panel.step(name, "done", await step(self._stage))
            except Missed as why:
                self._missed.append(name)
                self._panel.step(name, "missed", str(why))
        self.finished = True
