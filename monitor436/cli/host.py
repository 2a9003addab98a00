"""`monitor436 host`: what an operator decides about one host."""

import sys
from collections.abc import Callable
from pathlib import Path

import click
from msgspec import json, structs

from monitor436.agent.wire import HOST_NAME
from monitor436.cli.settings_option import settings_option
from monitor436.model.keys.enrolment import Bound, Enrolment
from monitor436.model.settings.whole import Settings
from monitor436.names import Names
from monitor436.site import KEY, Site, SiteError

WAYS = {"": "-", "token": "by token", "approved": "approved", "packed": "packed"}


@click.group()
def host() -> None:
    """Approve a host that waits, forget one, list whose names are whose.

    A server sees it within a second. Servers of one site decide each for itself: tell all of them.
    """


@host.command("list")
@settings_option
@click.option("--waiting", is_flag=True, help="Only those that wait for approval.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_names(settings: Settings, waiting: bool, as_json: bool) -> None:
    """List the names of hosts, the machine each belongs to, and how it came: by a join token, approved, or with a key
    packed into its file; "-" if by none of these at this server. `monitor436 hosts` tells how they are.

    \b
    monitor436 host list --waiting
    """
    bound = [each for each in _names(settings)[1].names() if not waiting or each.state == "waiting"]
    packed = _packed_serial(settings)
    bound = [structs.replace(each, way=each.came(packed(each.name))) for each in bound]
    if as_json:
        click.echo(json.encode(bound))
        return
    for each in bound:
        state = "bound" if each.greeted else each.state or "joined, never heard"
        key = f"serial {each.serial or '-'}  generation {each.generation}"
        click.echo(f"{each.name}  {state}  {key}  {WAYS[each.way]}  {each.address}".rstrip())


@host.command()
@settings_option
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
def approve(settings: Settings, names: tuple[str, ...]) -> None:
    """Let hosts join that wait for it (plans.join: approve). `host list --waiting` shows from where they ask.

    \b
    monitor436 host approve web1
    """
    file, enrolment = _names(settings)
    for name in names:
        held = enrolment.of(_checked(name))
        if held is None or held.state != "waiting":
            raise click.ClickException(f"{name} does not wait: see monitor436 host list --waiting")
        file.keep(structs.replace(held, state="approved"))
        click.echo(f"{name} may join (it asked from {held.address or 'an address that is not known'})")


@host.command()
@settings_option
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
def forget(settings: Settings, names: tuple[str, ...]) -> None:
    """Free names, for machines that were replaced: the next one that joins or greets under it has it.

    The key of the machine before is still good, until another one has greeted: see `generation` in the plans to revoke
    it.

    \b
    monitor436 host forget web1
    """
    file, enrolment = _names(settings)
    for name in names:
        if enrolment.of(_checked(name)) is None:
            raise click.ClickException(f"{name} is nobody's name: see monitor436 host list")
        file.keep(Bound(name, state="forgotten"))
        click.echo(f"{name} is free")


def _packed_serial(settings: Settings) -> Callable[[str], str]:
    """The serial that a host of a name has whose key was packed into its file."""
    folder = Path(settings.state) / "site"
    if not (folder / KEY).exists():
        return lambda name: ""
    try:
        site = Site(folder)
    except SiteError as problem:
        raise click.ClickException(str(problem)) from None
    return lambda name: site.packed_serial(name).hex()


def _names(settings: Settings) -> tuple[Names, Enrolment]:
    path = Path(settings.state) / "names.jsonl"
    if not path.exists():
        click.echo(f"{path} does not exist: no host has joined yet", err=True)
        sys.exit(1)
    names = Names(path)
    return names, Enrolment(names.read())


def _checked(name: str) -> str:
    if not HOST_NAME.match(name):
        raise click.UsageError(f"not a host's name: {name!r}")
    return name
