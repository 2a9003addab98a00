"""`monitor436 uptime`: ask a fleet over ssh how long each host has been up; and the same on many machines."""

import importlib
from typing import Any

import click

from monitor436.cli.over_ssh.options import with_options, with_ssh_options

ON_MANY_MACHINES = {
    "send": "put a file's hosts into a queue",
    "work": "take hosts from the queue and ask them",
    "sink": "write what workers found into a file",
}
"""Sub-commands, each `uptime_NAME` in the module cli/uptime_NAME.py. A file of that name is asked as ./NAME."""


class Uptime(click.Command):
    """The command itself, unless its first word is one of ON_MANY_MACHINES."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args and args[0] in ON_MANY_MACHINES:
            return _inner(args[0]).make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def inner(self) -> dict[str, click.Command]:
        """The commands of ON_MANY_MACHINES."""
        return {name: _inner(name) for name in ON_MANY_MACHINES}

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("On many machines, through Redis"):
            formatter.write_dl([(f"{name} --help", what) for name, what in ON_MANY_MACHINES.items()])


def _inner(name: str) -> click.Command:
    module = importlib.import_module(f"monitor436.cli.over_ssh.{name}")
    command: click.Command = getattr(module, f"uptime_{name}")
    return command


@click.command(cls=Uptime)
@with_ssh_options
@with_options
def uptime(**words: Any) -> None:
    """Ask every host that FILE lists, over ssh, how long it has been up.

    A line is [user@]host[:port]. Every host is asked once and told once: by a table on a terminal, by a line each
    elsewhere. Exit status 0 if all answered, 1 if some did not, 2 for a wrong command line or file.

    \b
    monitor436 uptime fleet.txt
    monitor436 uptime fleet.txt --command 'uname -r' --gather
    monitor436 uptime fleet.txt --ssh --ssh-option ProxyJump=bastion
    """
    from monitor436.cli.over_ssh.sweeping import sweep

    sweep(words)
