"""A redis-server of its own for a test: stopped, frozen, killed and started again as the test wants."""

import shutil
import signal
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.patience import eventually
from tests.e2e.ports import LOOPBACK, free_port
from tests.e2e.processes import Process

SOON = 20.0  # seconds in which it listens, also on a busy machine
ABSENT = None if shutil.which("redis-server") else "no redis-server here (Debian's package of that name)"


class RedisServer:
    """Answers on a loopback port once `start()` returns; `conf`: lines of its configuration beside the bare ones.

    `tls`: PEM files (authority, certificate, key); then its port speaks TLS only. Its data are kept from one start to
    the next with `conf=["appendonly yes", "appendfsync always"]`. End it with `close()`.
    """

    def __init__(self, conf: Sequence[str] = (), tls: tuple[Path, Path, Path] | None = None, port: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="redis436-"))
        self.port = port or free_port()
        self.address = f"{LOOPBACK}:{self.port}"
        self._tls = tls is not None
        self._process: Process | None = None
        lines = [f"bind {LOOPBACK}", f"dir {self.folder}", 'save ""', "daemonize no", "hz 50", *conf]
        lines.append(f"port {0 if tls else self.port}")
        if tls:
            authority, certificate, key = tls
            lines += [f"tls-port {self.port}", f"tls-ca-cert-file {authority}", f"tls-cert-file {certificate}"]
            lines += [f"tls-key-file {key}", "tls-auth-clients optional"]
        self._conf = self.folder / "redis.conf"
        self._conf.write_text("".join(f"{line}\n" for line in lines))

    def start(self) -> "RedisServer":
        """Run it; returns when it has read its files and answers."""
        self._process = Process(["redis-server", self._conf], self.folder / "redis.log", folder=self.folder)
        eventually(self._answers, SOON, f"redis-server answers on {self.address}")
        return self

    def stop(self) -> None:
        """End it cleanly."""
        assert self._process is not None
        self._process.stop()

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()

    def freeze(self) -> None:
        """It keeps its connections, and does nothing."""
        assert self._process is not None
        self._process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send(signal.SIGCONT)

    def ask(self, *words: str, password: str = "") -> str:
        """What it answers to a command of few words, as it comes over the wire; not over TLS."""
        with socket.create_connection((LOOPBACK, self.port), SOON) as link:
            answer = b""
            for command in ([("AUTH", password)] if password else []) + [words]:
                parts = b"".join(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in command)
                link.sendall(b"*%d\r\n%s" % (len(command), parts))
                answer = link.recv(65536)
        return answer.decode(errors="replace")

    def close(self) -> None:
        """End it, whatever state it is in, and remove its files."""
        if self._process is not None:
            self._process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        """Whether it takes connections, and does what is asked: while it reads its file it says LOADING to anything."""
        try:
            with socket.create_connection((LOOPBACK, self.port), 1.0):
                pass
            return self._tls or not self.ask("PING").startswith("-LOADING")
        except OSError:
            return False
