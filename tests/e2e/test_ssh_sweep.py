"""A fleet that is asked over ssh: hundreds of hosts, real sshd among them, and every way in which a host may fail.

M436_HOSTS=2000: so many of them, in place of 200.
"""

import getpass
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.patience import eventually
from tests.e2e.processes import MONITOR436, ROOT, end_of, environment
from tests.e2e.ssh_farm import USER
from tests.e2e.sshd import Sshd

HOSTS = int(os.environ.get("M436_HOSTS", "200"))
REAL = min(20, HOSTS // 10)  # asked at a real sshd
WHOLE = 10.0  # seconds that a host has
AT_ONCE = 100


def address(number: int) -> str:
    """Of one host, on loopback."""
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


class Folder:
    """A farm of hosts, a real sshd, and the files with which they are asked."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp())
        argv = [sys.executable, "-m", "tests.e2e.ssh_farm", str(self.path)]
        self._farm = subprocess.Popen(argv, stdin=subprocess.PIPE, cwd=ROOT, env=environment())
        made = self.path / "farm.json"
        eventually(made.exists, 30.0, "the farm listens")
        self.ports: dict[str, int] = json.loads(made.read_text())
        self.sshd: Sshd | None = None
        self.waited = 0.0  # seconds in which others had the processors that the last sweep wanted

    def real(self) -> Sshd:
        """A real one, known to us."""
        if self.sshd is None:
            self.sshd = Sshd(self.path / "sshd", self.path / "id_ed25519.pub")
            with open(self.path / "known_hosts", "a") as known:
                known.write(self.sshd.known_line)
        return self.sshd

    def sweep(self, lines: list[str], *options: str) -> tuple[int, list[dict[str, Any]], str, float]:
        """Status, results, what was said on standard error, seconds."""
        file = self.path / "fleet.txt"
        file.write_text("\n".join(lines) + "\n")
        argv = [*MONITOR436, "uptime", str(file), "-u", USER, "--json", "-f", str(AT_ONCE), "-t", str(WHOLE)]
        argv += ["-i", str(self.path / "id_ed25519"), "--known-hosts", str(self.path / "known_hosts"), *options]
        began = time.monotonic()
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            sweep = subprocess.Popen(argv, env=environment(), stdout=output, stderr=errors)
            try:
                self.waited = end_of(sweep, 600.0)
            finally:
                sweep.kill()
                status = sweep.wait()
            took = time.monotonic() - began
            output.seek(0)
            errors.seek(0)
            rows = [json.loads(line) for line in output]
            return status, rows, errors.read(), took

    def close(self) -> None:
        """Nothing is left."""
        assert self._farm.stdin is not None
        self._farm.stdin.close()
        self._farm.wait(20)
        if self.sshd is not None:
            self.sshd.stop()
        shutil.rmtree(self.path)


class SweepTests(unittest.TestCase):
    """One farm for all of them."""

    folder: Folder

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Folder()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.close()

    def fleet(self) -> dict[str, str]:
        """What is to come of each host, by its line."""
        ports = self.folder.ports
        kinds = [kind for kind in ports if not kind.startswith("well")]
        sshd = self.folder.real()
        hosts = {f"{getpass.getuser()}@{address(number)}:{sshd.port}": "" for number in range(REAL)}
        hosts |= {"no-such-host.invalid": "name", "127.3.0.1:1": "refused", "127.3.0.2:1": "refused"}
        for number in range(HOSTS // 40 * len(kinds)):
            kind = kinds[number % len(kinds)]
            hosts[f"{address(number)}:{ports[kind]}"] = kind.split()[0]
        wells = [kind for kind in ports if kind.startswith("well")]
        for number in range(HOSTS - len(hosts)):
            hosts[f"{address(number)}:{ports[wells[number % len(wells)]]}"] = ""
        return hosts

    @pytest.mark.alone
    def test_every_host_is_told_once_in_its_class_and_those_that_hang_cost_their_time_alone(self) -> None:
        """Real and made-up hosts, mixed; who is listed twice is told."""
        expected = self.fleet()
        lines = sorted(expected, key=lambda line: hash_of(line))
        status, rows, said, seconds = self.folder.sweep([*lines, lines[0]])
        self.assertEqual(len(expected), HOSTS)
        self.assertEqual(sorted(row["host"] for row in rows), sorted(expected))
        found = {row["host"]: row.get("reason", "") for row in rows}
        wrong = {host: (found[host], reason) for host, reason in expected.items() if found[host] != reason}
        self.assertEqual(wrong, {}, said)
        self.assertEqual(status, 1)
        self.assertIn("is listed on line 1 already", said)
        for row in rows:
            self.assertEqual("seconds" in row, "reason" not in row)
            self.assertLess(row["took"], WHOLE + 1.0 + self.folder.waited, row)
            self.assertTrue(row.get("error", "").isprintable())
        hanging = Counter(found.values())
        rounds = (
            1 + (sum(hanging[reason] for reason in ("banner", "key_exchange", "authentication", "command"))) // AT_ONCE
        )
        print(f"{HOSTS} hosts in {seconds:.1f} s: {dict(hanging)}")
        self.assertLess(seconds, 12.0 + rounds * WHOLE + HOSTS * 0.05 + self.folder.waited)

    def test_all_well_is_status_0(self) -> None:
        """In the forms that people read, too."""
        port = self.folder.ports["well"]
        lines = [f"{address(number)}:{port}" for number in range(10)]
        status, rows, said, _ = self.folder.sweep(lines)
        self.assertEqual((status, [row["seconds"] for row in rows]), (0, [5_677_620.0] * 10))
        self.assertIn("10 hosts in", said)
        argv = [*MONITOR436, "uptime", str(self.folder.path / "fleet.txt"), "-u", USER]
        argv += ["-i", str(self.folder.path / "id_ed25519"), "--known-hosts", str(self.folder.path / "known_hosts")]
        plain = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=60)
        self.assertIn(f"worker_id: local, host: {lines[3]}, result: 65 days, 17:07\n", plain.stdout)
        gathered = subprocess.run([*argv, "--gather"], env=environment(), capture_output=True, text=True, timeout=60)
        self.assertIn(f"127.1.0.[1-10]:{port} (10)\n{'-' * 15}\n65 days, 17:07\n", gathered.stdout)

    def test_the_operators_own_ssh_asks_the_same(self) -> None:
        """Its failures are told in the same classes, and it is killed with its children when its time is over."""
        ports, sshd = self.folder.ports, self.folder.real()
        expected = {
            f"{getpass.getuser()}@127.0.0.1:{sshd.port}": "",
            f"127.0.0.1:{ports['well']}": "",
            f"127.0.0.1:{ports['host_key']}": "host_key",
            f"127.0.0.1:{ports['authentication user']}": "authentication",
            f"127.0.0.1:{ports['command hangs']}": "command",
            f"127.0.0.1:{ports['command fails']}": "command",
            "127.3.0.1:1": "refused",
            "no-such-host.invalid": "name",
        }
        options = ("--ssh", "--ssh-option", "IdentitiesOnly=yes", "--ssh-option", "GlobalKnownHostsFile=/dev/null")
        _, rows, said, seconds = self.folder.sweep(list(expected), *options)
        self.assertEqual({row["host"]: row.get("reason", "") for row in rows}, expected, (said, rows))
        self.assertLess(seconds, WHOLE + 10)
        left = ["pgrep", "-f", f"ssh.*{ports['command hangs']}"]
        eventually(
            lambda: subprocess.run(left, capture_output=True).returncode == 1, 10.0, "those that were killed are gone"
        )

    def test_a_command_of_ones_own_is_run_by_a_real_shell(self) -> None:
        """Its output and its status are told."""
        where = f"{getpass.getuser()}@127.0.0.1:{self.folder.real().port}"
        _, (row,), _, _ = self.folder.sweep([where], "--command", "echo here; exit 4")
        self.assertEqual((row["output"], row["status"], row["reason"]), ("here\n", 4, "command"))

    def test_keys_of_an_agent_let_us_in(self) -> None:
        """A real one, that is asked to sign; and one that is not there is told."""
        if not shutil.which("ssh-agent"):
            self.skipTest("no ssh-agent (Debian's openssh-client)")
        socket = str(self.folder.path / "agent")
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
        self.addCleanup(agent.wait, 10)
        self.addCleanup(agent.terminate)
        eventually(lambda: os.path.exists(socket), 10.0, "the agent listens")
        with_agent = environment() | {"SSH_AUTH_SOCK": socket, "HOME": str(self.folder.path)}
        keys = [self.folder.path / "id_ed25519", self.folder.path / "id_rsa"]
        if not keys[1].exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", keys[1]], check=True)
        subprocess.run(["ssh-add", "-q", str(keys[1]), str(keys[0])], env=with_agent, check=True)
        file = self.folder.path / "one.txt"
        file.write_text(f"{getpass.getuser()}@127.0.0.1:{self.folder.real().port}\n")
        argv = [*MONITOR436, "uptime", str(file), "--known-hosts", str(self.folder.path / "known_hosts"), "--json"]
        done = subprocess.run(argv, env=with_agent, capture_output=True, text=True, timeout=60)
        self.assertIn("seconds", json.loads(done.stdout), done.stderr)
        agent.terminate()
        agent.wait(10)
        done = subprocess.run(argv, env=with_agent, capture_output=True, text=True, timeout=60)
        self.assertIn("no agent answers", json.loads(done.stdout)["error"], done.stderr)


def hash_of(line: str) -> int:
    """An order that is none, and the same in every run."""
    return sum((place + 7) * ord(letter) * 7919 % 1009 for place, letter in enumerate(line))


if __name__ == "__main__":
    unittest.main()
