"""`monitor436 silence`: no alarms about something for some time."""

import secrets
import time

import click
from msgspec import json

from monitor436.agent.plan import seconds
from monitor436.cli.acting import act, operator
from monitor436.cli.lines import say
from monitor436.cli.settings_option import settings_option
from monitor436.cli.status import seen, silence_line
from monitor436.cli.strangers import note_strangers
from monitor436.model.event import SILENCE_ADDED, SILENCE_REMOVED, Field
from monitor436.model.settings.whole import Settings
from monitor436.model.status.silences import MOST, Silence
from monitor436.model.words import span

LONGEST = 365 * 86400.0


@click.group()
def silence() -> None:
    """Want no alarms about something for some time, list such wishes, end one.

    Checks go on, and whoever was told of a trouble is told of its end. A server sees it within a second.
    """


@silence.command()
@settings_option
@click.option("--host", default="", metavar="PATTERN", help='Hosts, such as "web*".')
@click.option("--check", default="", metavar="PATTERN", help="Checks.")
@click.option("--tag", default="", metavar="PATTERN", help="What has such a tag.")
@click.option("--severity", type=click.Choice(["warning", "critical"]), help="This and what is less.")
@click.option("--for", "lasts", default="1h", show_default=True, metavar="DURATION", help="For how long: 30m, 2h, 1d.")
@click.argument("why")
def add(settings: Settings, host: str, check: str, tag: str, severity: str | None, lasts: str, why: str) -> None:
    """Silence what fits all that is given, and say why.

    \b
    monitor436 silence add --host 'web*' --for 2h 'the switch is replaced'
    """
    if not (host or check or tag or severity):
        raise click.UsageError("give --host, --check, --tag or --severity; --host '*' for everything")
    try:
        length = seconds(lasts)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    if not 0 < length <= LONGEST:
        raise click.UsageError("a silence lasts longer than nothing, and at most 365d")
    board = seen(settings)
    note_strangers([host], board.standings.hosts)  # it may come yet
    if len(board.silences.known) >= MOST:
        raise click.ClickException(f"there are {MOST} silences already: see monitor436 silence list")
    name = secrets.token_hex(4)
    patterns = {"host": host, "check": check, "tag": tag, "severity": severity or ""}
    fields: dict[str, Field] = {"silence": name, "until": round(time.time() + length, 3)}
    act(settings, SILENCE_ADDED, why, fields=fields | {key: value for key, value in patterns.items() if value})
    click.echo(f"{name}: silent for {span(length)}, by {operator()}")


@silence.command("list")
@settings_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_silences(settings: Settings, as_json: bool) -> None:
    """List what is silenced, the next to end first.

    \b
    monitor436 silence list
    """
    known = _known(settings)
    if as_json:
        click.echo(json.encode(known))
        return
    for each in known:
        say(silence_line(each, time.time()))
    if not known:
        click.echo("nothing is silenced", err=True)


@silence.command()
@settings_option
@click.argument("names", nargs=-1, required=True, metavar="ID…")
def remove(settings: Settings, names: tuple[str, ...]) -> None:
    """End silences: what is bad still is told then.

    \b
    monitor436 silence remove 3f2a9c01
    """
    known = {each.id: each for each in _known(settings)}
    for name in names:
        if name not in known:
            raise click.ClickException(f"{name} is no silence: see monitor436 silence list")
        act(settings, SILENCE_REMOVED, f"silence {name} ended", fields={"silence": name})
        click.echo(f"{name} has ended")


def _known(settings: Settings) -> list[Silence]:
    found = seen(settings).silences.known.values()
    return sorted((each for each in found if each.until > time.time()), key=lambda each: each.until)
