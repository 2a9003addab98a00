"""A program that reads the text from its standard input: no shell, a session of its own, a deadline."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.task import deferLater

from monitor436.model.notify.notice import Item, Notice
from monitor436.model.notify.wording import headline, lines, plain, worst
from monitor436.model.settings.notify import Command
from monitor436.notifiers.notifier import NotSent, spelt

LOOK = 0.05  # seconds between looks whether it has ended
GRACE = 2.0  # seconds from TERM to KILL
MOST = 4096  # bytes of what it says that are kept
SHOWN = 200  # characters of that in a sentence
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CommandNotifier:
    """Its environment holds PATH, LANG and the M436_ variables, nothing else. Status 0: it was told."""

    refresh = 0.0

    def __init__(self, server: str, command: Command, reactor: Any) -> None:
        self._command = command
        self._reactor = reactor

    async def send(self, notice: Notice) -> None:
        """Run it."""
        text = "\n".join(lines(notice, spelt(notice.at))) + "\n"
        environment = {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "M436_KEY": notice.key,
            "M436_SERVER": plain(notice.server),
            "M436_SEVERITY": worst(notice.items),
            "M436_SUBJECT": headline(notice),
        }
        given, gives = _unnamed(text.encode()), os.pipe()
        try:
            running = subprocess.Popen(
                self._command.argv,
                stdin=given,
                stdout=gives[1],
                stderr=gives[1],
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError as problem:
            os.close(gives[0])
            raise NotSent(f"{self._command.argv[0]}: {problem.strerror}") from None
        finally:
            os.close(given)
            os.close(gives[1])
        os.set_blocking(gives[0], False)
        try:
            status, said = await self._ended(running, gives[0])
        finally:
            os.close(gives[0])
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(running.pid, signal.SIGKILL)  # whatever it has left behind
            running.poll()
        if status:
            what = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            raise NotSent(plain(f"{self._command.argv[0]} {what}: {said}".rstrip(": ")))

    async def restate(self, items: Sequence[Item]) -> None:
        """It is told once."""

    async def _ended(self, running: "subprocess.Popen[bytes]", output: int) -> tuple[int, str]:
        """Its status and the first of what it said."""
        began = self._reactor.seconds()
        told = killed = False
        said = b""
        while (status := running.poll()) is None:
            said = (said + _drained(output))[:MOST]
            lasted = self._reactor.seconds() - began
            if lasted >= self._command.time_limit and not told:
                told = _signal(running, signal.SIGTERM)
            elif lasted >= self._command.time_limit + GRACE and not killed:
                killed = _signal(running, signal.SIGKILL)
            elif lasted >= self._command.time_limit + 2 * GRACE:
                raise NotSent(f"{self._command.argv[0]} cannot be ended")
            await deferLater(self._reactor, LOOK)
        if told:
            raise NotSent(f"{self._command.argv[0]} took longer than {self._command.time_limit:g} s")
        return status, (said + _drained(output))[:SHOWN].decode("utf-8", "replace").strip()


def _unnamed(text: bytes) -> int:
    """A file without a name that holds the text, to be read from its start."""
    file = os.memfd_create("notice", os.MFD_CLOEXEC)
    while text:
        text = text[os.write(file, text) :]
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _drained(output: int) -> bytes:
    try:
        return os.read(output, 1 << 20)
    except BlockingIOError:
        return b""


def _signal(running: "subprocess.Popen[bytes]", number: signal.Signals) -> bool:
    with suppress(ProcessLookupError):
        os.killpg(running.pid, number)
    return True
