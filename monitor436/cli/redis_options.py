"""The options of commands that work through Redis, and the queue that follows from them."""

import re
from collections.abc import Callable
from typing import Any

import click

from monitor436.binder import DEFAULT, load
from monitor436.cli.option_sets import Adds, adding
from monitor436.model.settings.redis import Redis
from monitor436.model.source import SettingsError
from monitor436.queues import open_queue
from monitor436.queues.queue import LEASE, Queue

FILE = click.Path(exists=True, dir_okay=False)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def named(context: click.Context, param: click.Parameter, value: str) -> str:
    """A name of a queue, batch or worker, or "" where that is left out."""
    if value != param.default and not _NAME.fullmatch(value):
        raise click.BadParameter("letters, digits, . _ and - only, at most 64")
    return value


OPTIONS: list[Callable[[Any], Any]] = [
    click.option("--redis", metavar="HOST:PORT", default="",
                 help="Where Redis or Valkey is, instead of what the settings file says."),
    click.option("--redis-user", metavar="NAME", default="", help="The user there."),
    click.option("--redis-password-file", type=FILE, help="A file whose first line is the password."),
    click.option("--redis-tls", is_flag=True, help="Talk TLS with it."),
    click.option("--redis-ca", type=FILE,
                 help="PEM certificates of authorities that are trusted instead of the system's; with TLS."),
    click.option("-c", "--config", metavar="FILE", default=DEFAULT, show_default=True, help="The settings file."),
]  # fmt: skip


def with_redis(queue: str, why: str = "The queue there.") -> Adds:
    """A command that takes all of OPTIONS and the name of a queue; `queue_of` takes them out of its words."""
    name = click.option("--queue", default=queue, show_default=bool(queue), metavar="NAME", callback=named, help=why)
    return adding([name, *OPTIONS])


def redis_words(words: dict[str, Any]) -> dict[str, Any]:
    """Those of OPTIONS and the queue, which are then gone from `words`. Raises click.UsageError without a queue."""
    mine = {name: words.pop(name) for name in [*words] if name in ("queue", "config") or name.startswith("redis")}
    if not mine["queue"] and any(value for name, value in mine.items() if name.startswith("redis")):
        raise click.UsageError("--redis goes with --queue NAME, from which workers take")
    return mine


def queue_of(words: dict[str, Any], reactor: Any, lease: float = LEASE) -> Queue:
    """The queue that the words of a command line name, which are then gone from `words`. Raises click.UsageError."""
    name, config = words.pop("queue"), words.pop("config")
    parts = ("", "_user", "_password_file", "_tls", "_ca")
    address, user, password_file, tls, ca = (words.pop(f"redis{part}") or "" for part in parts)
    if not address and (user or password_file or tls or ca):
        raise click.UsageError("options of Redis go with --redis HOST:PORT")
    redis = Redis(address, 0, user, password_file, bool(tls or ca), ca) if address else _configured(config)
    for place, problem in redis.problems():
        raise click.UsageError(f"--redis: {'.'.join(map(str, place))}: {problem}")
    if not redis.address:
        raise click.UsageError(f"no Redis: give --redis HOST:PORT, or redis.address in {config}")
    return open_queue(name, redis, reactor, lease)


def _configured(config: str) -> Redis:
    from monitor436.model.settings.whole import Settings  # a tenth of the start of a report, which needs it seldom

    try:
        return load(config, Settings).redis
    except SettingsError as wrong:
        for problem in wrong.problems:
            click.echo(str(problem), err=True)
        click.echo("without settings: say where Redis is by --redis HOST:PORT", err=True)
        raise SystemExit(2) from None


def complain(why: str) -> None:
    """Of a queue that is away: those who use it go on when it is back."""
    click.echo(f"{why}; trying on", err=True)
