"""Asking at the server's TLS door, without waiting: the request runs in a child of the same agent file."""

import json
import os
import sys

from monitor436.agent.commands import Child

PATIENCE = 30.0  # seconds for a whole exchange
MAX_ANSWER = 2 * 1024 * 1024  # bytes of JSON from the child


def this_program() -> "list[str]":
    """How to start this agent again: the interpreter, without site packages, and the file."""
    return [sys.executable, "-I", "-S", os.path.abspath(sys.argv[0])]


class Asking:
    """One request under way. The fields are those of `door.exchange`; a key travels through the pipe, never in argv."""

    def __init__(self, asked: "dict[str, object]", now: float) -> None:
        argv, given = this_program() + ["_door"], json.dumps(asked).encode()
        self._problem = ""
        try:
            self._child = Child(argv, now + PATIENCE, limit=MAX_ANSWER, stdin=given)
        except OSError as problem:  # no process to be had: as if the door could not be used
            self._problem = "{}: {}".format(argv[0], problem.strerror)

    def poll(self, now: float) -> "tuple[int, str] | None":
        """Status and body of the answer; None while there is none. Status 0: the body says what went wrong."""
        if self._problem:
            return 0, self._problem
        self._child.read()
        finished = self._child.poll(now)
        if finished is None:
            return None
        try:
            answer = json.loads(finished.output.decode("utf-8"))
            return int(answer["status"]), str(answer["body"])
        except (ValueError, KeyError, TypeError):
            lines = finished.output.decode("utf-8", "replace").strip().splitlines()
            return 0, finished.problem or (lines[-1] if lines else "the child ended without an answer")
