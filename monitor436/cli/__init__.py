"""The `monitor436` command. One module a sub-command; they are imported only when they are called."""

import importlib
import os
import sys
from contextlib import suppress
from typing import Any

import click

from monitor436 import __version__

COMMANDS = {
    "ack": "Say that somebody knows of a trouble.",
    "agent": "Pack the agent into one file.",
    "alert": "Find out whether notifications arrive.",
    "beat": "Send heartbeats, and nothing else.",
    "budget": "Tell how much memory and disk so many hosts take.",
    "config": "Check settings and plans.",
    "dashboard": "Print a link that signs in to the dashboard.",
    "demo": "Show the whole system at work on this machine.",
    "doctor": "Tell whether the server is well, and what is in its way.",
    "explain": "Tell everything about one host.",
    "host": "Approve or forget a host.",
    "hosts": "List the hosts this server knows.",
    "init": "Write a new folder with settings and plans.",
    "merge": "Make one stream of the events files of several servers.",
    "push": "Publish the use of this machine's processors and memory.",
    "report": "Ask a fleet how it is, and tell success by version.",
    "run": "Run the server in the foreground.",
    "silence": "Want no alarms about something for some time.",
    "site": "Exchange the site's key for another.",
    "status": "Show how everything is, at a glance.",
    "tail": "Show events as they come.",
    "token": "Make, list and revoke tokens of the HTTP door.",
    "top": "Show how everything is, live.",
    "uptime": "Ask a fleet over ssh how long each host is up, or anything else.",
    "verify": "Check that no event is missing or doubled.",
}


def _give_up_output() -> None:
    """What is left in its buffer would fail once more at the end, in Python's words and with status 120."""
    with suppress(OSError, ValueError):  # a stream of a test has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Commands(click.Group):
    """Finds a sub-command in the module of its name."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does it, without the import of every one."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"monitor436.cli.{name}"), name)
        command.short_help = COMMANDS[name]
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        """As click does it; a file that cannot be used, or an output that is full, is a sentence and status 1."""
        try:
            return super().main(*args, **extra)
        except OSError as problem:  # all but EPIPE, at which click ends without a word: who reads has read enough
            said = (problem.filename, problem.strerror or problem)
            click.echo(f"Error: {': '.join(str(each) for each in said if each)}", err=True)
            if problem.filename is None:
                _give_up_output()
            sys.exit(1)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as wrong:
            raise click.UsageError(f"{wrong.message}  Known are {', '.join(sorted(COMMANDS))}.", context) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="monitor436")
def main() -> None:
    """Heartbeats, plans, logs, checks and their events for a LAN of Linux hosts.

    \b
    monitor436 init site && monitor436 run -c site/etc/monitor436.yaml
    monitor436 tail -f --severity warning
    """
