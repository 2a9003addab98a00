"""`monitor436 alert`: whether notifications reach anybody."""

import os
import sys
import time
from contextlib import suppress
from typing import Any

import click
from twisted.internet.defer import Deferred

from monitor436.assembly.core import server_name
from monitor436.cli.lines import plain, say
from monitor436.cli.settings_option import settings_option
from monitor436.model.notify.notice import Item, Notice
from monitor436.model.settings.whole import Settings
from monitor436.notifiers.notifier import NotSent
from monitor436.notifiers.table import notifiers


@click.group()
def alert() -> None:
    """Find out whether notifications arrive."""


@alert.command()
@settings_option
@click.argument("names", nargs=-1, metavar="[NAME]…")
def test(settings: Settings, names: tuple[str, ...]) -> None:
    """Send a test by these notifiers, or by all, from here and at once. Exit status 0 if all were handed over.

    \b
    monitor436 alert test
    """
    named = settings.notify.named()
    if not named:
        raise click.ClickException("the settings have no notifier: see notify in docs/notifications.md")
    for name in names:
        if name not in named:
            raise click.UsageError(f"{name} is no notifier; there are {', '.join(named)}")
    from twisted.internet import reactor
    from twisted.internet.task import react

    handed: list[bool] = []

    def main(_: Any) -> "Deferred[None]":
        return Deferred.fromCoroutine(_send(settings, names or tuple(named), handed, reactor))

    with suppress(SystemExit):
        react(main, (), reactor)
    sys.exit(0 if all(handed) and handed else 1)


async def _send(settings: Settings, names: tuple[str, ...], handed: list[bool], reactor: Any) -> None:
    server = server_name(settings)
    made = notifiers(settings.notify, server, reactor)
    for name in names:
        item = Item("test", "info", "this is a test of notifications: nothing is wrong", time.time())
        notice = Notice(os.urandom(12).hex(), name, time.time(), server, (item,))
        began = time.monotonic()
        kind = settings.notify.named()[name][0]
        try:
            await made[name].send(notice)
        except NotSent as problem:
            handed.append(False)
            say(plain(f"{name} ({kind}): {problem}"))
        else:
            handed.append(True)
            say(f"{name} ({kind}): handed over in {time.monotonic() - began:.2f} s")
