"""`monitor436 ack`: somebody knows of a trouble."""

import click

from monitor436.cli.acting import act, operator
from monitor436.cli.lines import plain
from monitor436.cli.settings_option import settings_option
from monitor436.cli.status import seen
from monitor436.model.event import ACKNOWLEDGED
from monitor436.model.settings.whole import Settings
from monitor436.model.words import count

SERVER = "@"


@click.command()
@settings_option
@click.argument("host")
@click.argument("words", nargs=-1, required=True, metavar="[CHECK] TEXT")
def ack(settings: Settings, host: str, words: tuple[str, ...]) -> None:
    """Say that somebody knows of what is bad about a host, or about one check of it: no reminders until it is over,
    nor alarms unless it becomes worse. Its end is told. HOST is "@" for the server itself.

    \b
    monitor436 ack web1 'disk is on its way'
    monitor436 ack web1 'root full' 'logs are being moved'
    """
    if len(words) > 2:
        raise click.UsageError("HOST, perhaps a CHECK, and one text in quotes")
    check = words[0] if len(words) == 2 else ""
    name = "" if host == SERVER else host
    standings = seen(settings).standings
    known = standings.hosts.get(name)
    bad = [subject for subject, _ in standings.bad_of(name, known)] if known else []
    chosen = [subject for subject in bad if check in ("", subject.check)]
    if not chosen:
        raise click.ClickException(
            f"nothing is bad about {'/'.join(filter(None, (host, check)))}: see monitor436 status"
        )
    act(settings, ACKNOWLEDGED, words[-1], name, check)
    shown = plain(", ".join(map(str, chosen[:5])))  # hosts name their checks
    click.echo(f"{count(len(chosen), 'trouble')} acknowledged by {operator()}: {shown}")
