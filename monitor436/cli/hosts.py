"""`monitor436 hosts`: who is there."""

import sys
import time
from pathlib import Path

import click
from msgspec import json
from rich.console import Console
from rich.table import Table

from monitor436.cli.settings_option import settings_option
from monitor436.model.settings.whole import Settings
from monitor436.model.words import count, span
from monitor436.services.liveness import KEEP_EVERY, read_snapshot
from monitor436.state_folder import ROSTER

STYLES = {"up": "green", "late": "yellow", "down": "bold red", "stopped": "dim", "unknown": "dim"}


@click.command()
@settings_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option("--state", "states", multiple=True, type=click.Choice(list(STYLES)), help="Only these; may be repeated.")
def hosts(settings: Settings, as_json: bool, states: tuple[str, ...]) -> None:
    """List the hosts this server knows: state, since when, plan in force, what its spool takes on its disk.

    Exit status 0 if every host listed is up or was stopped cleanly, 1 if not, or if the server does not seem to run.
    `monitor436 explain HOST` tells everything about one.

    \b
    monitor436 hosts --state down --state late
    """
    path = Path(settings.state) / ROSTER
    if not path.exists():
        raise click.ClickException(f"{path} does not exist: has the server been started?")
    snapshot = read_snapshot(path)
    if snapshot is None:
        path.read_bytes()  # whose OSError says why, if it is one
        raise click.ClickException(f"{path} holds no list of hosts: a server of this version writes it anew")
    listed = [seen for seen in snapshot.hosts if not states or seen.state in states]
    old = time.time() - snapshot.wall
    if as_json:
        click.echo(json.encode({"server": snapshot.server, "age": round(old, 1), "hosts": listed}))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("HOST", "STATE", "FOR", "HEARD", "ADDRESS", "UP", "PLAN", "SPOOL", "AGENT"):
            table.add_column(column)
        for seen in listed:
            heard = f"{span(seen.age)} ago" if seen.heard else "never"
            state = f"[{STYLES[seen.state]}]{seen.state}[/]"
            uptime, spool = (span(seen.up), f"{seen.fill // 1024} KiB") if seen.heard else ("", "")
            table.add_row(
                seen.name, state, span(seen.lasted), heard, seen.address, uptime, seen.plan[:12], spool, seen.version
            )
        console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160)
        console.print(table)
        up = sum(seen.state == "up" for seen in listed)
        console.print(
            f"{count(len(listed), 'host')}, {up} up, as {snapshot.server} knew it {span(old)} ago", style="dim"
        )
    if gone := old > 3 * KEEP_EVERY:
        click.echo(f"the server does not seem to run: this is what it knew {span(old)} ago", err=True)
    sys.exit(0 if not gone and all(seen.state in ("up", "stopped") for seen in listed) else 1)
