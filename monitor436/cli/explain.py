"""`monitor436 explain`: one host, why it is as it is."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import MsgspecError, json, structs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor436.agent.plan import meant
from monitor436.cli.event_files import lines
from monitor436.cli.host import WAYS
from monitor436.cli.lines import COLOURS, plain, say, shown
from monitor436.cli.settings_option import settings_option
from monitor436.journal import Journal
from monitor436.model.event import Event, read_line
from monitor436.model.hosts.dossier import SHORT, Dossier, PlanNow
from monitor436.model.hosts.history import CheckNow, History, checks_now
from monitor436.model.hosts.host import STOPPED, UP, Seen
from monitor436.model.keys.enrolment import Bound, Enrolment
from monitor436.model.plans.planbook import Planbook
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError
from monitor436.model.words import span
from monitor436.names import Names
from monitor436.planfolder import read_planbook
from monitor436.services.liveness import KEEP_EVERY, read_snapshot
from monitor436.site import KEY, Site, SiteError
from monitor436.state_folder import ROSTER

OLD = 3 * KEEP_EVERY  # seconds after which the server does not seem to run
WIDTH = 4096  # columns where there is no terminal: nothing is broken
STYLES = {"critical": "bold red", "warning": "yellow", "info": "green", "": "dim"}


@click.command()
@settings_option
@click.argument("host")
@click.option(
    "-n", "--lines", "most", type=click.IntRange(min=1), default=5, show_default=True, help="How many events."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts: everything, with whole events.")
def explain(settings: Settings, host: str, most: int, as_json: bool) -> None:
    """Tell everything about one host: its state and why, its key, its plan and where each check of it is written, the
    last event of each check. The server need not run.

    Exit status 0 if it is up, or was stopped cleanly, and no check is bad; 1 if not; 2 if no such host is known.

    \b
    monitor436 explain web1
    """
    kept, known = _dossier(settings, host, most)
    if kept is None:
        hint = f"; {meant(host, sorted(known))}" if known else ": no host is, yet"
        click.echo(f"{plain(host)} is not known here{hint}", err=True)
        sys.exit(2)
    why = kept.why()
    if as_json:
        told = {"state": kept.state, "reason": kept.reason, "well": kept.well, "why": why}
        click.echo(json.encode({"host": host, **told, **structs.asdict(kept)}))
    else:
        _tell(kept, why)
    sys.exit(0 if kept.well else 1)


def _dossier(settings: Settings, host: str, most: int) -> tuple[Dossier | None, set[str]]:
    """What is known of a host, if anything is; and all hosts that are known by their names."""
    state = Path(settings.state)
    snapshot = read_snapshot(state / ROSTER)
    seen = {each.name: each for each in snapshot.hosts} if snapshot else {}
    enrolment = Enrolment(Names(state / "names.jsonl").read())
    book, problems = _book(settings)
    history = _history(settings, host, most)
    known = {*seen, *(bound.name for bound in enrolment.names()), *(book.hosts() if book else ())}
    if host not in known and not history:
        return None, known
    wanted = (book.digest(host), book.generation(host)) if book else ("", 0)
    age = max(0.0, time.time() - snapshot.wall) if snapshot else 0.0
    return (
        Dossier(
            host=host,
            server=snapshot.server if snapshot else "",
            runs=snapshot is not None and age <= OLD,
            age=round(age, 1),
            seen=seen.get(host),
            key=_with_way(enrolment.of(host), state / "site"),
            plan=PlanNow(seen[host].plan if host in seen else "", *wanted, problems),
            checks=checks_now(history, book.origin(host) if book else None, _logs(book, host) if book else None),
            found=history.found,
            joined=history.joined,
            turned=history.state,
            told_plan=history.plan,
            agent=history.agent,
            refused=history.refused,
            isolated=history.isolated,
            dead=history.dead,
            events=list(history.events),
            unreadable=list(history.unreadable.values()),
        ),
        known,
    )


def _book(settings: Settings) -> tuple[Planbook | None, list[str]]:
    try:
        return read_planbook(settings.plans.folder, settings.heartbeat.every, settings.heartbeat.late), []
    except SettingsError as wrong:
        return None, [str(problem) for problem in wrong.problems]


def _logs(book: Planbook, host: str) -> dict[str, str]:
    """The paths or patterns of the log checks in a plan, by the name of each."""
    return {check["name"]: check["log"] for check in json.decode(book.plan(host))["checks"] if "log" in check}


def _history(settings: Settings, host: str, most: int) -> History:
    """Read from the events files that are kept. Most lines are about others, and are not parsed."""
    history = History(host, most)
    path, kept = Path(settings.events.file), settings.events
    about, isolation = f'"host":"{host}"'.encode(), b'"kind":"isolat'
    for file in [*Journal(path, kept.rotate_at, kept.rotate_every, kept.keep).rotated(), path]:
        for line in lines(file) if file.exists() else ():
            if about in line or isolation in line:
                try:
                    history.read(read_line(line))
                except MsgspecError:
                    continue
    return history


def _with_way(bound: Bound | None, folder: Path) -> Bound | None:
    """With how it came, which for a packed file only the certificate of the site tells."""
    if bound is None or not (folder / KEY).exists():
        return bound
    try:
        return structs.replace(bound, way=bound.came(Site(folder).packed_serial(bound.name).hex()))
    except SiteError:
        return bound


def _tell(kept: Dossier, why: list[str]) -> None:
    seen = kept.seen
    if seen is not None and kept.runs:
        head = f"{kept.host} is {kept.state} for {span(seen.lasted + kept.age)}"
    else:
        head = f"{kept.host} was {kept.state}" if seen is not None else f"{kept.host} is {kept.state}"
    head += f": {kept.reason}" if kept.reason not in ("", kept.state) else ""
    say(click.style(head, fg="green" if kept.state == UP else None if kept.state == STOPPED else "red", bold=True))
    for label, text in _about(kept):
        say(f"  {label:8}  {plain(text)}")
    for sentence in why:
        say(click.style("  →  ", fg="yellow") + plain(sentence))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH)
    if kept.checks:
        console.print()
        console.print(_table(kept))
    if kept.events:
        say("")
    for event in kept.events:
        say(shown(event))


def _about(kept: Dossier) -> Iterator[tuple[str, str]]:
    """What is known of it, line by line."""
    seen, key, plan = kept.seen, kept.key, kept.plan
    if seen is not None and seen.heard:
        yield "heard", f"{span(seen.age + kept.age)} ago, at {seen.address or 'an address that is not known'}"
        yield "machine", _machine(seen)
    if key is not None:
        yield "key", _key(key)
    for label, event in (("joined", kept.joined), ("found", kept.found), ("agent", kept.agent)):
        if event is not None:
            yield label, f"{_when(event)}: {event.text}{_refused(event)}"
    if plan.in_force or plan.wanted:
        follows = plan.in_force[:SHORT] or "none"
        differs = "" if plan.in_force == plan.wanted else f"; the files say {plan.wanted[:SHORT] or 'nothing'}"
        yield "plan", f"{follows} in force{differs}"


def _machine(seen: Seen) -> str:
    spool = f"a spool of {seen.fill / 1024:.0f} KiB" if seen.fill else "an empty spool"
    return f"up for {span(seen.up)} when last heard, boot {seen.boot or '-'}, agent {seen.version or '-'}, {spool}"


def _key(key: Bound) -> str:
    state = "bound" if key.greeted else key.state or "joined, never heard"
    came = "" if key.way == "" else f", {WAYS[key.way]}"
    asked = f", asked from {key.address}" if key.address else ""
    site = f", site key {key.site}" if key.site else ""
    return f"{state}, serial {key.serial or '-'}, generation {key.generation}{came}{asked}{site}"


def _refused(event: Event) -> str:
    """What an agent that was stopped says that it refused."""
    return f"; it had refused datagrams: {event.fields['refused']}" if "refused" in event.fields else ""


def _table(kept: Dossier) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("CHECK", "STATE", "WRITTEN IN", "LAST EVENT", "", "LAST METRIC"):
        table.add_column(column, overflow="fold")
    for check in kept.checks:
        last = check.bad[0] if check.bad else check.last
        table.add_row(
            Text(plain(check.name)),
            Text(_state(check), style=STYLES[check.state]),
            Text(f"{check.file}:{check.line}" if check.file else ""),
            Text(_when(last) if last else ""),
            Text(plain(last.text) if last else "", style=COLOURS[last.severity] if last else ""),
            Text(plain(check.metric.text) if check.metric else ""),
        )
    return table


def _state(check: CheckNow) -> str:
    return {"info": "ok", "": "nothing told"}.get(check.state, check.state)


def _when(event: Event) -> str:
    return event.time.astimezone().strftime("%m-%d %H:%M:%S") if event.time else "-"
