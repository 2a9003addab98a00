"""The agent file's commands: to run, if no word says another one. Each is imported only when it is called."""

import sys

from monitor436.agent.options import HelpWanted, InTheWay, UsageError, say

COMMANDS = {
    "event": "tools.report",
    "check": "tools.check_plan",
    "match": "tools.try_rules",
    "doctor": "tools.doctor",
    "install": "tools.install",
    "uninstall": "tools.uninstall",
}  # the module of each word; its USAGE, and its main(words) that returns the exit status
BRIEF = {"--version", "--help", "-h", "--self-test"}  # after which the agent does not stay


def main() -> None:
    """Exit status 0 if all is well, 1 when something on this host is in the way, 2 for a wrong command line."""
    words = sys.argv[1:]
    if words == ["_door"]:
        from monitor436.agent.link import door

        door.main()
        return
    module = COMMANDS.get(words[0]) if words else None
    if module is None and not BRIEF.intersection(words):
        from monitor436.agent import lean

        lean.load("monitor436.agent.resident")
    sys.exit(status(module, words[1:]) if module else status("resident", words))


def status(module: str, words: "list[str]") -> int:
    """Call a command; its exit status. What an admin can get wrong is told in a sentence, not in a traceback."""
    command = __import__("monitor436.agent." + module, fromlist=["main"])
    try:
        return int(command.main(words))
    except HelpWanted:
        sys.stdout.write(command.USAGE)
        return 0
    except UsageError as wrong:
        sys.stderr.write("agent436: {}\n{}\n(--help says more)\n".format(wrong, command.USAGE.split("\n", 1)[0]))
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stderr.close()
        return 1
    except Exception as problem:
        from monitor436.agent.identity import StateError

        if not isinstance(problem, (InTheWay, StateError, OSError, ValueError)):
            raise
        say(told(problem))
        return 1


def told(problem: Exception) -> str:
    """What is in the way, without the number that only C programmers know."""
    if isinstance(problem, OSError) and problem.strerror:
        return "{}: {}".format(problem.filename, problem.strerror) if problem.filename else problem.strerror
    return str(problem)


if __name__ == "__main__":
    main()
