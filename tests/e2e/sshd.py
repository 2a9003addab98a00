"""A real sshd on loopback, in a folder of its own, for the user of this process."""

import contextlib
import shutil
import socket
import subprocess
import unittest
from pathlib import Path

from tests.e2e.patience import eventually
from tests.e2e.ports import free_port

PROGRAM = "/usr/sbin/sshd"


class Sshd:
    """Listens on every loopback address at `port`; whoever has the key `authorized` may log in."""

    def __init__(self, folder: Path, authorized: Path) -> None:
        if not Path(PROGRAM).exists() or not shutil.which("ssh-keygen"):
            raise unittest.SkipTest("no sshd (Debian's openssh-server)")
        folder.mkdir()
        self.port = free_port()
        key = folder / "host_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        settings = {
            "Port": self.port, "ListenAddress": "0.0.0.0", "HostKey": key, "AuthorizedKeysFile": authorized,
            "PidFile": "none", "StrictModes": "no", "UsePAM": "no", "MaxStartups": 1000, "UseDNS": "no",
        }  # fmt: skip
        (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        with contextlib.suppress(PermissionError):
            Path("/run/sshd").mkdir(exist_ok=True)  # where root's sshd locks itself up
        self.known_line = f"[127.*]:{self.port} " + (folder / "host_key.pub").read_text()
        self._process = subprocess.Popen([PROGRAM, "-D", "-f", folder / "config", "-E", folder / "log"])
        eventually(self._listens, 20.0, "sshd listens")

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Sessions end too."""
        self._process.terminate()
        self._process.wait(30)
