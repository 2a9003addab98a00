"""Runs one command on hosts by the operator's own `ssh`: its jump hosts, configuration and hardware keys work.

Each host is a process in a session of its own, which is killed with all of its children at the deadline. What is
asked for stands behind `--`, so no host is ever an option.
"""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure as Problem

from monitor436.model.sweep.remote import Said, write_said
from monitor436.model.sweep.uptime import COMMAND
from monitor436.probes.probe import Failure, Target
from monitor436.probes.ssh.command import LIMIT

MOST_ERRORS = 4 << 10  # bytes of complaints that are kept
PORT = 22  # is left to the configuration
CLOSED = ("-o", "ForwardAgent=no", "-o", "ForwardX11=no", "-o", "ClearAllForwardings=yes")  # no host gets our keys
OWN = 255  # the exit status by which ssh tells that it failed itself
SAID = (
    ("could not resolve", "name"),
    ("connection refused", "refused"),
    ("timed out during banner", "banner"),
    ("banner exchange", "banner"),
    ("kex_exchange_identification", "banner"),
    ("timed out", "connect"),
    ("no route to host", "unreachable"),
    ("unreachable", "unreachable"),
    ("host key verification failed", "host_key"),
    ("host identification has changed", "host_key"),
    ("permission denied", "authentication"),
    ("too many authentication failures", "authentication"),
    ("unable to negotiate", "key_exchange"),
)  # what ssh says, and the class of failure that it is


class OpenSshProbe:
    """Asks hosts by `command`. `timeout`: seconds for everything; `options`: of ssh, before the host."""

    def __init__(
        self,
        reactor: Any,
        timeout: float,
        command: str = COMMAND,
        user: str = "",
        options: Sequence[str] = (),
        limit: int = LIMIT,
        program: str = "ssh",
    ) -> None:
        self.timeout = timeout
        self._reactor = reactor
        self._command = command
        self._user = user
        self._limit = limit
        batch = ("-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(1, round(timeout))}", *CLOSED)
        self._first = (program, *options, *batch)  # of an option that is given twice, ssh takes the first
        self._environment = {**os.environ, "LC_ALL": "C"}

    def argv(self, target: Target) -> list[str]:
        """What is run for a host. Raises Failure for what ssh could take for an option."""
        user = urlsplit(target.url).username or self._user
        if target.host.startswith("-") or user.startswith("-"):
            raise Failure("name", "neither a host nor a user begins with -")
        port = ("-p", str(target.port)) if target.port != PORT else ()
        return [*self._first, *port, *(("-l", user) if user else ()), "--", target.host, self._command]

    async def probe(self, target: Target, within: float | None = None) -> bytes:
        """What the command left, as `model.remote` reads it. Raises Failure."""
        within = self.timeout if within is None else within
        try:
            child = _Child(self._reactor, self.argv(target), self._environment, self._limit)
        except OSError as problem:
            raise Failure("protocol", f"{self._first[0]} cannot be run: {problem.strerror}") from None
        late = Failure("command", f"{self._first[0]} did not end within {within:g} s")
        deadline = self._reactor.callLater(within, child.fail, late)
        try:
            said = await child.ended
        finally:
            child.end()
            if deadline.active():
                deadline.cancel()
        if said.status == OWN:
            raise _judged(said.errors)
        return write_said(said)

    async def close(self) -> None:
        """No process is left."""


class _Child:
    """One process; `ended` fires with what it said, or fails with Failure."""

    def __init__(self, reactor: Any, argv: list[str], environment: dict[str, str], limit: int) -> None:
        self.ended: Deferred[Said] = Deferred()
        self._limit = limit
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self._printed: list[bytes] = []
        self._size = 0
        self._errors = b""
        assert self._process.stdout and self._process.stderr
        self._watch = os.pidfd_open(self._process.pid)
        self._pipes = [
            _Pipe(reactor, self._process.stdout.fileno(), self._print),
            _Pipe(reactor, self._process.stderr.fileno(), self._complain),
        ]
        for reader in [*self._pipes, _Exit(reactor, self._watch, self._exited)]:
            reader.startReading()

    def fail(self, failure: Failure) -> None:
        """Wait no longer, for this reason."""
        if not self.ended.called:
            self.ended.errback(Problem(failure))

    def end(self) -> None:
        """Kill it, if it runs, and whatever it started. It is not waited for here: a dead disk could hold it."""
        for pipe in self._pipes:
            pipe.stopReading()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.stdout.close()  # type: ignore[union-attr]
        self._process.stderr.close()  # type: ignore[union-attr]
        self._pipes = []

    def _print(self, data: bytes) -> None:
        self._printed.append(data)
        self._size += len(data)
        if self._size > self._limit:
            self.fail(Failure("too_long", f"the command printed more than {self._limit:,} bytes"))

    def _complain(self, data: bytes) -> None:
        self._errors = (self._errors + data)[-MOST_ERRORS:]

    def _exited(self) -> None:
        """What it printed may still be in the pipes; whoever else has them open is not waited for."""
        for pipe in self._pipes:
            pipe.doRead()
        status = self._process.wait()
        os.close(self._watch)
        if not self.ended.called:
            self.ended.callback(Said(status if status >= 0 else 128 - status, b"".join(self._printed), self._errors))


class _Pipe(FileDescriptor):
    """One end of a pipe, read without waiting."""

    def __init__(self, reactor: Any, number: int, heard: Any) -> None:
        super().__init__(reactor)
        self._number = number
        self._heard = heard
        os.set_blocking(number, False)

    def fileno(self) -> int:
        return self._number

    def doRead(self) -> None:
        for _ in range(4):
            try:
                data = os.read(self._number, 1 << 16)
            except OSError:
                return
            if not data:
                self.stopReading()
                return
            self._heard(data)


class _Exit(_Pipe):
    """Readable as soon as the process has ended."""

    def doRead(self) -> None:
        self.stopReading()
        self._heard()


def _judged(errors: bytes) -> Failure:
    text = errors.decode("utf-8", "replace")
    low = text.lower()
    reason = next((reason for words, reason in SAID if words in low), "protocol")
    lines = [line for line in text.splitlines() if line.strip()]
    last = re.sub(r"[^ -~\u00a0-\uffff]", " ", lines[-1])[:200].strip() if lines else "ssh failed and says nothing"
    return Failure(reason, last)
