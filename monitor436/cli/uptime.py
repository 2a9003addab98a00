"""`monitor436 uptime`: ask a fleet over ssh how long each host has been up; and the same on many machines."""

from typing import Any

import click

from monitor436.cli.on_many_machines import OnManyMachines
from monitor436.cli.over_ssh.options import with_options, with_ssh_options

PARTS = {
    "send": ("monitor436.cli.over_ssh.send:uptime_send", "put a file's hosts into a queue"),
    "work": ("monitor436.cli.over_ssh.work:uptime_work", "take hosts from the queue and ask them"),
    "sink": ("monitor436.cli.over_ssh.sink:uptime_sink", "write what workers found into a file"),
}
"""What runs on many machines. A file of such a name is asked as ./NAME."""


@click.command(cls=OnManyMachines, parts=PARTS)
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
