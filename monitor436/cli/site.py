"""`monitor436 site`: the key of the site, and exchanging it for another."""

import sys
from pathlib import Path

import click
from msgspec import json

from monitor436.cli.settings_option import settings_option
from monitor436.model.keys.enrolment import Bound, Enrolment
from monitor436.model.keys.site_keys import mark
from monitor436.model.settings.whole import Settings
from monitor436.model.words import count
from monitor436.names import Names
from monitor436.site import KEY, Site, SiteError

SHOWN = 20  # names in a sentence; `site show --json` has all


@click.group()
def site() -> None:
    """Exchange the key of the site, from which all keys of hosts come, for another.

    \b
    monitor436 site rotate        another key; the one before stays good
    monitor436 site show          who is still to be moved
    monitor436 site finish        the one before is good for nothing
    """


@site.command()
@settings_option
def rotate(settings: Settings) -> None:
    """Make another site key. The one before stays good until `site finish`; agents are moved by themselves.

    A server that runs sees it within seconds. Copy the folder to the other servers of the site at once.

    \b
    monitor436 site rotate
    """
    found = _site(settings)
    try:
        found.rotate()
    except SiteError as problem:
        raise click.ClickException(str(problem)) from None
    click.echo(f"site key {found.mark} is in use; the one before, {mark(found.keys.accepted[-1])}, stays good")
    click.echo(f"copy {found.folder} to the other servers of this site, then: monitor436 site finish")


@site.command()
@settings_option
@click.option("--force", is_flag=True, help="Also if hosts are left: they have to join again.")
def finish(settings: Settings, force: bool) -> None:
    """Remove the site key before, once no host that this server knows uses it.

    Exit status 1, and who is left, if some do. Hosts that are gone for good: monitor436 host forget NAME.

    \b
    monitor436 site finish
    """
    found = _site(settings)
    if found.keys.before is None:
        raise click.ClickException("no rotation is under way: see monitor436 site show")
    left = [bound.name for bound in _left(settings, found)]
    if left and not force:
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        names = ", ".join(left[:SHOWN])
        click.echo(f"{count(len(left), 'host')} not moved yet: {names}{more}", err=True)
        sys.exit(1)
    before = mark(found.keys.before)
    try:
        found.finish()
    except SiteError as problem:
        raise click.ClickException(str(problem)) from None
    click.echo(f"site key {before} is good for nothing now; {found.mark} is in use")
    click.echo("agent files that were packed before the rotation: pack them anew")


@site.command()
@settings_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(settings: Settings, as_json: bool) -> None:
    """Show what the site's keys are known by, the pin of its certificate, and which hosts are to be moved.

    \b
    monitor436 site show
    """
    found = _site(settings)
    left = [bound.name for bound in _left(settings, found)] if found.keys.before else []
    before = mark(found.keys.before) if found.keys.before else ""
    if as_json:
        click.echo(json.encode({"key": found.mark, "before": before, "pin": found.pin, "left": left}))
        return
    click.echo(f"site key {found.mark}" + (f"; the one before, {before}, is still good" if before else ""))
    click.echo(f"pin {found.pin}")
    if before:
        more = f", … ({len(left)})" if len(left) > SHOWN else ""
        click.echo(f"to be moved: {', '.join(left[:SHOWN])}{more}" if left else "every host was moved")


def _site(settings: Settings) -> Site:
    """The site of this server; none is made here."""
    folder = Path(settings.state) / "site"
    if not (folder / KEY).exists():
        raise click.ClickException(f"{folder / KEY} does not exist: has the server been started?")
    try:
        return Site(folder)
    except SiteError as problem:
        raise click.ClickException(str(problem)) from None


def _left(settings: Settings, found: Site) -> list[Bound]:
    """The hosts that this server has heard, but not with a key from the present site key."""
    return Enrolment(Names(Path(settings.state) / "names.jsonl").read()).behind(found.mark)
