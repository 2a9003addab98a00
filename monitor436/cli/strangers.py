"""Words that name no host: they are told, as a slip must not look like health."""

from collections.abc import Collection, Iterable

import click

from monitor436.agent.plan import meant
from monitor436.cli.lines import plain

WILD = frozenset("*?[")


def note_strangers(words: Iterable[str], known: Collection[str]) -> None:
    """Say on standard error which of these names, patterns left aside, are not `known`."""
    for word in words:
        if word and word not in known and not WILD.intersection(word):
            hint = meant(word, sorted(known)) if known else "no host is known, yet"
            click.echo(f"no host is called {plain(word)}; {hint}", err=True)
