"""monitor436 config: are the settings and plans good, before a server or a host sees them?"""

import json
import os
import sys
from collections.abc import Iterator

import click
import msgspec

from monitor436.agent.wire import HOST_NAME
from monitor436.binder import DEFAULT, bind
from monitor436.inventory_file import read_inventory_file
from monitor436.model.plans.planbook import Planbook
from monitor436.model.settings.polls import Poll
from monitor436.model.settings.whole import Settings
from monitor436.model.source import Problem, SettingsError, Source
from monitor436.planfolder import read_planbook
from monitor436.probes.web.tls import TlsOptions, creators
from monitor436.yaml_source import read_source

REFUSED = 2  # exit status, as for a wrong command line
NOTIFIER_FILES = ("password_file", "secret_file", "template", "ca")

config_option = click.option(
    "-c", "--config", "path", metavar="FILE", default=DEFAULT, show_default=True, help="The settings file."
)


@click.group()
def config() -> None:
    """Look at the settings and plans."""


@config.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def check(path: str, as_json: bool) -> None:
    """Check the settings and every plan: all problems, each with its place. Exit status 2 if there are any.

    \b
    monitor436 config check && systemctl reload monitor436-server
    """
    book, problems = survey(path)
    files, checks = book.size() if book else (0, 0)
    notes = [] if problems else list(not_here(path))
    if as_json:
        found, noted = ([msgspec.structs.asdict(each) for each in some] for some in (problems, notes))
        told = {"good": not problems, "plan_files": files, "checks": checks, "problems": found, "notes": noted}
        click.echo(json.dumps(told))
    elif not problems:
        click.echo(f"{path}: good; {_count(files, 'plan file')}, {_count(checks, 'check')}")
    else:
        for problem in problems:
            click.echo(str(problem), err=True)
    for note in notes if not as_json else ():
        click.echo(f"note: {note}", err=True)
    sys.exit(REFUSED if problems else 0)


@config.command()
@click.argument("host")
@config_option
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


def not_here(path: str) -> Iterator[Problem]:
    """The files that notifiers name in good settings and that are not there: the server may run on another machine."""
    source = read_source(path)
    for name, (kind, notifier) in bind(source, Settings, os.path.dirname(path)).notify.named().items():
        for key in NOTIFIER_FILES:
            file = getattr(notifier, key, "")
            if file and not os.path.exists(file):
                yield source.problem(("notify", kind, name, key), f"{file} is not on this machine")
        argv = getattr(notifier, "argv", ())
        if argv and not os.access(argv[0], os.X_OK):
            yield source.problem(("notify", kind, name, "argv"), f"{argv[0]} is no program on this machine")


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
