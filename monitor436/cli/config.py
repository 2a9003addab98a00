"""monitor436 config: are the settings and plans good, before a server or a host sees them?"""

import json
import os
import sys
from collections.abc import Iterator

import click
import msgspec

from monitor436.agent.wire import HOST_NAME
from monitor436.binder import bind
from monitor436.inventory_file import read_inventory_file
from monitor436.model.plans.planbook import Planbook
from monitor436.model.settings.polls import Poll
from monitor436.model.settings.whole import Settings
from monitor436.model.source import Problem, SettingsError, Source
from monitor436.planfolder import read_planbook
from monitor436.probes.web.tls import TlsOptions, creators
from monitor436.yaml_source import read_source

REFUSED = 2  # exit status, as for a wrong command line


@click.group()
def config() -> None:
    """Look at the settings and plans."""


@config.command()
@click.option("-c", "--config", "path", default="etc/monitor436.yaml", show_default=True, help="The settings file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def check(path: str, as_json: bool) -> None:
    """Check the settings and every plan: all problems, each with its place. Exit status 2 if there are any."""
    book, problems = survey(path)
    files, checks = book.size() if book else (0, 0)
    if as_json:
        found = [msgspec.structs.asdict(problem) for problem in problems]
        click.echo(json.dumps({"good": not problems, "plan_files": files, "checks": checks, "problems": found}))
    elif not problems:
        click.echo(f"{path}: good; {_count(files, 'plan file')}, {_count(checks, 'check')}")
    else:
        for problem in problems:
            click.echo(str(problem), err=True)
    sys.exit(REFUSED if problems else 0)


@config.command()
@click.argument("host")
@click.option("-c", "--config", "path", default="etc/monitor436.yaml", show_default=True, help="The settings file.")
def plan(path: str, host: str) -> None:
    """Print the plan of a host as the server serves it: canonical JSON.

    \b
    monitor436 config plan web1 | ssh web1 /usr/local/sbin/agent436.pyz check -
    """
    if not HOST_NAME.match(host):
        raise click.UsageError(f"not a host's name: {host!r} (a-z, 0-9, dot, dash, underscore; at most 63)")
    book, problems = survey(path)
    for problem in problems:
        click.echo(str(problem), err=True)
    if problems or book is None:
        sys.exit(REFUSED)
    click.echo(book.plan(host))


def survey(path: str) -> tuple[Planbook | None, list[Problem]]:
    """The plans that the settings at `path` speak of, and the problems of both; no plans where they have problems.

    Plans are looked at even if the settings are wrong, as long as it is clear where they are.
    """
    problems: list[Problem] = []
    try:
        source = read_source(path)
    except SettingsError as wrong:
        return None, wrong.problems
    base = os.path.dirname(path)
    settings = Settings()
    try:
        settings = bind(source, Settings, "")
    except SettingsError as wrong:
        problems += wrong.problems
    problems += [problem for name, poll in settings.polls.items() for problem in _files_of(name, poll, source, base)]
    folder = os.path.normpath(os.path.join(base, _plan_folder(source, settings)))
    try:
        book = read_planbook(folder, settings.heartbeat.every, settings.heartbeat.late)
    except SettingsError as wrong:
        return None, problems + wrong.problems
    return book, problems


def _files_of(name: str, poll: Poll, source: Source, base: str) -> Iterator[Problem]:
    """What is wrong with the files that a poll names; what cannot be opened is told where it is named."""
    inventory, ca = (os.path.normpath(os.path.join(base, path)) if path else "" for path in (poll.inventory, poll.ca))
    if inventory:
        try:
            read_inventory_file(inventory, poll.url)
        except SettingsError as wrong:
            for problem in wrong.problems:
                where = source.problem(("polls", name, "inventory"), f"{problem.file}: {problem.sentence}")
                yield problem if problem.line else where
    if ca:
        try:
            creators(TlsOptions(ca=ca))
        except (OSError, ValueError) as wrong:
            why = f"{ca}: cannot be read: {wrong.strerror}" if isinstance(wrong, OSError) else str(wrong)
            yield source.problem(("polls", name, "ca"), why)


def _plan_folder(source: Source, settings: Settings) -> str:
    """Where plans are, also if something else in the settings was refused."""
    plans = source.tree.get("plans")
    folder = plans.get("folder") if isinstance(plans, dict) else None
    return folder if isinstance(folder, str) and folder.isprintable() else settings.plans.folder


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
