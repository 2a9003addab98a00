"""`monitor436 budget`: what a fleet will cost, before there is one."""

from collections.abc import Iterator

import click
from msgspec import json

from monitor436.cli.lines import say
from monitor436.cli.settings_option import SettingsFile
from monitor436.model.server.budget import Budget
from monitor436.model.server.budget import budget as reckoned
from monitor436.model.settings.whole import Settings
from monitor436.model.words import size

MOST = 1_000_000


@click.command()
@click.option("-c", "--config", "settings", type=SettingsFile(), help="The settings file; by default the defaults.")
@click.option("--hosts", type=click.IntRange(1, MOST), required=True, metavar="N", help="How many hosts.")
@click.option("--checks", type=click.IntRange(0, 500), required=True, metavar="N", help="How many checks each has.")
@click.option(
    "--labels",
    type=click.IntRange(0, 10_000),
    default=0,
    show_default=True,
    metavar="N",
    help="How many values each sends as metrics, once a minute.",
)
@click.option(
    "--events",
    type=click.FloatRange(0, 1_000_000),
    default=10.0,
    show_default=True,
    metavar="N",
    help="How many events a day each check tells: lines of logs, changes.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def budget(settings: Settings | None, hosts: int, checks: int, labels: int, events: float, as_json: bool) -> None:
    """Tell how much memory, disk and network a server takes for so many hosts. All figures are estimates from what one
    host was measured to cost; memory is within a fifth.

    \b
    monitor436 budget --hosts 10000 --checks 10 --labels 5
    """
    given = settings or Settings()
    kept = given.events.rotate_at * (given.events.keep + 1)
    found = reckoned(hosts, checks, labels, events, given.heartbeat.every, kept)
    if as_json:
        click.echo(json.encode(found))
        return
    for what, much, why in _told(found, given, kept):
        say(f"{what:10}  {much:>12}  {why}")


def _told(found: Budget, given: Settings, kept: int) -> Iterator[tuple[str, str, str]]:
    """What, how much, and what is to be said about it."""
    yield "memory", size(found.memory), "of the server"
    yield "disk", f"{size(found.disk)}/day", f"events: {found.lines:,} lines a day"
    days = "all of them for ever" if found.disk == 0 else f"{found.days:.3g} days"
    yield "", size(kept), f"are kept (events.rotate_at, events.keep), which is {days}"
    yield "", size(found.state), "other state: that of hosts is written anew every 5 s, summaries as they change"
    every = f"every {given.heartbeat.every:g} s"
    yield "network", f"{size(found.network)}/s", f"heartbeats {every}, answered: {found.datagrams:,.0f} datagrams/s"
    yield "CPU", f"{found.cpu:.1%}", "of a core, for these"
    enough = (
        "agents.receive_buffer is enough"
        if given.agents.receive_buffer >= found.buffer
        else "set agents.receive_buffer"
    )
    yield "buffer", size(found.buffer), f"of datagrams when all greet at once: {enough}"
    yield "each host", size(found.agent), "memory of its agent"
