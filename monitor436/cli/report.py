"""`monitor436 report`: ask a fleet how it is, and judge the answer."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from msgspec import json, to_builtins
from rich.console import Console

from monitor436.cli.on_many_machines import OnManyMachines
from monitor436.cli.redis_options import queue_of, redis_words, with_redis
from monitor436.cli.reporting import files
from monitor436.cli.reporting.asking import ask, how
from monitor436.cli.reporting.options import HOW, Options, with_options
from monitor436.cli.reporting.page import page
from monitor436.cli.reporting.text import print_report, print_since, summary
from monitor436.inventory_file import decoded
from monitor436.model.fleet.errand import Asked
from monitor436.model.fleet.gate import OK
from monitor436.model.fleet.inventory import Inventory, read_inventory
from monitor436.model.fleet.report import Report, Round
from monitor436.model.fleet.report import report as reported
from monitor436.model.fleet.since import Since, since
from monitor436.model.fleet.statuses import Question, Wanted
from monitor436.model.source import SettingsError
from monitor436.probes.probe import Target

Ask = Callable[[Sequence[Asked], Question, Sequence[str]], Round]  # who is asked, what, and who is listed twice
PARTS = {"work": ("monitor436.cli.reporting.work:report_work", "take targets from the queue and ask them")}
REFUSED = 3  # exit status: the gate was missed
TOLD = 50  # bad lines, and lines that say the same
WIDTH = 200  # columns where there is no terminal


@click.command(cls=OnManyMachines, parts=PARTS)
@with_options
@with_redis("", "Workers ask, through this queue in Redis: see monitor436 report work --help.")
def report(**words: Any) -> None:
    """Ask the status page of every host that a file lists, and tell success by application and version.

    Exit status 0 if enough of them answered, 2 for a wrong command line or inventory, 3 if the report is refused
    because too few answered. Sums go into DIR/<epoch ms>.csv, failures beside it.

    \b
    monitor436 report -i fleet.txt -q 99.5 -o reports --html
    monitor436 report -i fleet.txt --url 'https://{server}:8443/health' --ca site.pem
    """
    redis = redis_words(words)
    asking = {name: words.pop(name) for name in HOW}
    options = Options(**words)
    _fit(options)
    question = _question(options.by, options.wanted)
    listed = _listed(*options.inventory, options.pattern)
    twice = [str(each) for each in listed.twice]
    ask = _through(redis) if redis["queue"] else _from_here(asking)
    _tell(twice)
    found = reported(ask([Asked(*each) for each in listed.targets], question, twice), question, options.qos)
    change = since(options.last, found) if options.last else None
    written = _write(found, change, options)
    _print(found, change, options)
    for path in written:
        click.echo(f"Output File: {path}", err=options.as_json or options.as_csv)
    sys.exit(0 if found.status == OK else REFUSED)


def _fit(options: Options) -> None:
    """Options that contradict each other are a mistake of the command line."""
    if options.as_json and options.as_csv:
        raise click.UsageError("--json and --csv both go to standard output: choose one")
    if options.usual and (options.by or options.wanted):
        raise click.UsageError("-s is success by application and version: leave out --group-by and --aggregate, or -s")


def _from_here(asking: dict[str, Any]) -> Ask:
    settled = how(**asking)
    return lambda listed, question, twice: ask([Target(*each) for each in listed], settled, question, twice)


def _through(redis: dict[str, Any]) -> Ask:
    """By workers; how they ask is said to them."""
    context = click.get_current_context()
    for name in HOW:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"with --queue workers ask: say --{name.replace('_', '-')} to them")
    from twisted.internet import reactor

    from monitor436.cli.reporting.through import ask_workers

    queue = queue_of(redis, reactor)
    return lambda listed, question, twice: ask_workers(listed, question, queue, twice, reactor)


def _question(by: tuple[str, ...], wanted: tuple[Wanted, ...]) -> Question:
    usual = Question()
    return Question(by or usual.by, wanted or usual.wanted, not wanted)


def _listed(name: str, content: bytes, pattern: str) -> Inventory:
    """The inventory; what is wrong with it is told line by line, and ends the command."""
    try:
        return read_inventory(decoded(content, name), name, pattern)
    except SettingsError as problems:
        _tell([str(problem) for problem in problems.problems])
    sys.exit(2)


def _tell(sentences: list[str]) -> None:
    """On standard error; not thousands of them."""
    for sentence in sentences[:TOLD]:
        click.echo(sentence, err=True)
    if len(sentences) > TOLD:
        click.echo(f"and {len(sentences) - TOLD:,} more", err=True)


def _write(found: Report, change: Since | None, options: Options) -> list[Path]:
    """The files that are asked for: CSV unless that or JSON is printed, or if there is a folder for it."""
    folder = options.folder or Path(tempfile.gettempdir())
    made = {}
    if options.folder or not (options.as_json or options.as_csv):
        if found.status == OK:
            made[".csv"] = files.sums_csv(found)
        if found.failures:
            made["-failures.csv"] = files.failures_csv(found)
    if options.as_html:
        made[".html"] = page(found, change)
    try:
        folder.mkdir(exist_ok=True)
        return [files.write_new(folder, found.at, ending, text) for ending, text in made.items()]
    except OSError as problem:
        raise click.ClickException(f"{folder}: {problem.strerror}") from None


def _print(found: Report, change: Since | None, options: Options) -> None:
    if options.as_json:
        whole = json.encode(found) if change is None else json.encode({**to_builtins(found), "since": change})
        click.echo(json.format(whole, indent=2))
        return
    if options.as_csv:
        click.echo(files.sums_csv(found), nl=False)
        click.echo(summary(found), err=True)
        return
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    print_report(console, found, options.verbose)
    if change:
        print_since(console, change)
