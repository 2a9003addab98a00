"""Command lines: what all commands of the agent file have in common."""

import getopt
import os
import sys

SYSTEM_STATE = "/var/lib/monitor436-agent"
OWN_STATE = ".local/state/monitor436-agent"  # below the home of a user who is not root


class UsageError(Exception):
    """The command line is off; the text says how."""


class HelpWanted(Exception):
    """The command line asks for help, and for nothing else."""


class InTheWay(Exception):
    """Something on this host is in the way; the text says what, and what to do."""


class Words:
    """A command line, taken apart. Raises UsageError, HelpWanted.

    `known` are long options as getopt has them ("state=" takes a value), `short` maps short ones to them.
    """

    def __init__(self, argv: "list[str]", known: "list[str]", short: "dict[str, str] | None" = None) -> None:
        names = {"-h": "help"}
        names.update(("-" + letter.rstrip(":"), name) for letter, name in (short or {}).items())
        try:
            given, self.rest = getopt.gnu_getopt(argv, "h" + "".join(short or ()), [*known, "help"])
        except getopt.GetoptError as wrong:
            raise UsageError(str(wrong)) from None
        self._given = [(names.get(option, option[2:]), value) for option, value in given]
        if self.has("help"):
            raise HelpWanted

    def has(self, name: str) -> bool:
        """Whether the option was given."""
        return any(option == name for option, _ in self._given)

    def all(self, name: str) -> "list[str]":
        """Its values, as often as it was given."""
        return [value for option, value in self._given if option == name]

    def text(self, name: str, default: str) -> str:
        """Its value; the last one counts."""
        return (self.all(name) or [default])[-1]

    def one_of(self, name: str, choices: "tuple[str, ...]", default: str) -> str:
        """Its value, one of a few words. Raises UsageError."""
        value = self.text(name, default)
        if value not in choices:
            listed = "{} or {}".format(", ".join(choices[:-1]), choices[-1])
            raise UsageError("--{}: expected {}, got {!r}".format(name, listed, value))
        return value

    def number(self, name: str, least: int, most: int, default: int) -> int:
        """Its value, a whole number. Raises UsageError."""
        value = self.text(name, str(default))
        if not (value.isdecimal() and len(value) < 10) or (self.has(name) and not least <= int(value) <= most):
            raise UsageError("--{}: expected {} to {}, got {!r}".format(name, least, most, value))
        return int(value)

    def nothing_else(self, most: int = 0) -> "list[str]":
        """The words beside the options, at most so many. Raises UsageError."""
        if len(self.rest) > most:
            raise UsageError("unknown argument: {}".format(self.rest[most]))
        return self.rest


def default_state() -> str:
    """Where the agent keeps its state if nothing is said: the system's place for root, the user's for others."""
    if os.geteuid() == 0:
        return SYSTEM_STATE
    return os.path.join(os.environ.get("HOME", "/"), OWN_STATE)


def state_here() -> str:
    """The state folder that a command at the side looks into if nothing is said: the system's where there is one."""
    own = default_state()
    return SYSTEM_STATE if not os.path.isdir(own) and os.path.isdir(SYSTEM_STATE) else own


def say(text: str) -> None:
    """One line for whoever watches the console or the journal, if anybody does."""
    try:
        sys.stderr.write("agent436: {}\n".format(text))
        sys.stderr.flush()
    except OSError:  # the terminal was closed, whoever read the pipe has ended, the disk is full: the agent goes on
        pass
