"""One sweep of a fleet over ssh: the reactor runs until every host has answered or failed."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click
from msgspec import json
from rich.console import Console

from monitor436.cli.lines import plain
from monitor436.cli.over_ssh.options import SshOptions, make_probe, take
from monitor436.cli.over_ssh.text import hint, print_gathered, print_table, summary
from monitor436.cli.reporting.asking import progress
from monitor436.cli.until_told import until_told
from monitor436.model.fleet.inventory import Inventory
from monitor436.model.source import SettingsError
from monitor436.model.sweep.inventory import read_hosts
from monitor436.model.sweep.remote import Result, console_line
from monitor436.model.sweep.uptime import COMMAND
from monitor436.probes.poller import Poller
from monitor436.probes.probe import Answer, Failed, Target
from monitor436.probes.ssh.sweep import judged

WORKER = "local"  # who asked, in the lines that workers print
TOLD = 50  # bad lines, and lines that say the same
WIDTH = 200  # columns where there is no terminal
FAILED = 1  # exit status: somebody did not answer


def sweep(words: dict[str, Any]) -> None:
    """Ask everybody, tell what they said, and end the command."""
    options = take(words)
    file, at_once, command = words["file"], words["at_once"], words["command"]
    gather, as_json = words["gather"], words["as_json"]
    if gather and as_json:
        raise click.UsageError("--gather is for people and --json for scripts: choose one")
    listed = listed_hosts(file, options.port)
    on_terminal = sys.stdout.isatty()
    lines = as_json or not (on_terminal or gather)

    def tell(result: Result) -> None:
        if as_json:
            click.echo(json.encode(result).decode())
        elif lines:
            click.echo(plain(console_line(WORKER, result)))

    began = time.monotonic()
    results = run([Target(*each) for each in listed.targets], options, at_once, command, tell)
    console = Console(file=sys.stdout, width=None if on_terminal else WIDTH, highlight=False)
    if gather:
        print_gathered(console, results)
    elif not lines:
        print_table(console, results)
    click.echo(summary(results, time.monotonic() - began), err=True)
    if told := hint(results, options.accept_new):
        click.echo(told, err=True)
    sys.exit(FAILED if any(each.reason for each in results) else 0)


def listed_hosts(file: str, port: int) -> Inventory:
    """Who a file lists; what is wrong with it is told line by line, and ends the command with status 2."""
    try:
        with click.open_file(file, "rb") as opened:
            content = opened.read()
    except OSError as problem:
        raise click.UsageError(f"{file}: {problem.strerror}") from None
    name = "standard input" if file == "-" else file
    try:
        listed = read_hosts(content.decode("utf-8"), name, port)
    except UnicodeDecodeError as wrong:
        _tell([f"{name}:{content[: wrong.start].count(10) + 1}:1: not UTF-8"])
        sys.exit(2)
    except SettingsError as problems:
        _tell([str(problem) for problem in problems.problems])
        sys.exit(2)
    _tell([str(each) for each in listed.twice])
    return listed


def run(
    targets: Sequence[Target], options: SshOptions, at_once: int, command: str, tell: Callable[[Result], object]
) -> list[Result]:
    """One result a target, in their order; each is told as it comes. Raises click.Abort if that is interrupted."""
    from twisted.internet import reactor

    probe = make_probe(options, reactor, command or COMMAND)
    poller = Poller(reactor, probe, at_once)
    at = round(time.time(), 3)
    found: dict[str, Result] = {}

    def came(answer: Answer | Failed) -> None:
        result = found[answer.target.url] = judged(answer, at, command)
        bar(bool(result.reason))
        tell(result)

    async def work() -> None:
        await poller.poll(targets, came)

    with progress(len(targets)) as bar:
        if not until_told(work, probe.close, reactor):
            raise click.Abort
    return [found[target.url] for target in targets]


def _tell(sentences: list[str]) -> None:
    """On standard error; not thousands of them."""
    for sentence in sentences[:TOLD]:
        click.echo(sentence, err=True)
    if len(sentences) > TOLD:
        click.echo(f"and {len(sentences) - TOLD:,} more", err=True)
