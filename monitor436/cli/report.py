"""`monitor436 report`: ask a fleet how it is, and judge the answer."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from msgspec import json, to_builtins
from rich.console import Console

from monitor436.cli.reporting import files
from monitor436.cli.reporting.asking import Asking, ask
from monitor436.cli.reporting.options import Options, with_options
from monitor436.cli.reporting.page import page
from monitor436.cli.reporting.text import print_report, print_since, summary
from monitor436.inventory_file import decoded
from monitor436.model.fleet.gate import OK
from monitor436.model.fleet.inventory import Inventory, read_inventory
from monitor436.model.fleet.report import Report
from monitor436.model.fleet.report import report as reported
from monitor436.model.fleet.since import Since, since
from monitor436.model.fleet.statuses import Question, Wanted
from monitor436.model.source import SettingsError
from monitor436.probes.probe import Target
from monitor436.probes.web.http import HttpProbe
from monitor436.probes.web.tls import TlsOptions, creators

REFUSED = 3  # exit status: the gate was missed
TOLD = 50  # bad lines, and lines that say the same
WIDTH = 200  # columns where there is no terminal


@click.command()
@with_options
def report(**words: Any) -> None:
    """Ask the status page of every host that a file lists, and tell success by application and version.

    Exit status 0 if enough of them answered, 2 for a wrong command line or inventory, 3 if the report is refused
    because too few answered. Sums go into DIR/<epoch ms>.csv, failures beside it.

    \b
    monitor436 report -i fleet.txt -q 99.5 -o reports --html
    monitor436 report -i fleet.txt --url 'https://{server}:8443/health' --ca site.pem
    """
    options = Options(**words)
    _fit(options)
    question = _question(options.by, options.wanted)
    listed = _listed(*options.inventory, options.pattern)
    asking = _asking(options)
    twice = [str(each) for each in listed.twice]
    _tell(twice)
    found = reported(ask([Target(*each) for each in listed.targets], asking, question, twice), question, options.qos)
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
    if options.key and not options.cert:
        raise click.UsageError("--key is the key of a certificate: give that with --cert")


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


def _asking(options: Options) -> Asking:
    """How everybody is asked: what cannot be sent or trusted is told before that."""
    headers = tuple(field for each in options.headers for field in each)
    tls = TlsOptions(options.ca or "", options.cert or "", options.key or "", options.insecure)
    try:
        HttpProbe(None, options.timeout, headers, TlsOptions())
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    try:
        creators(tls)
    except Exception as problem:  # OpenSSL's own errors have no base in common with others
        raise click.UsageError(f"--ca, --cert or --key: no good PEM file: {problem}") from None
    return Asking(options.timeout, options.at_once, max(0, options.retries), headers, tls, options.follow)


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
