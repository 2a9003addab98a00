"""`monitor436 report` against real servers on loopback: sums, classes of failures, time, exit status."""

import csv
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.e2e import loopback_fleet as farm
from tests.e2e.patience import eventually
from tests.e2e.processes import MONITOR436, ROOT, end_of, environment
from tests.probes.certificates import certificate

TIMEOUT = 6.0  # some send a megabyte in it, for which a busy machine needs its time
MEMORY = 300 << 10  # KiB: 1 MiB for each body that has no end, and the interpreter
SLACK = 0.5  # seconds a round may take beyond its time-out, and beyond the time in which others had the processors
ANY = 50  # percent: a gate that all of these fleets pass
EXPECTED = {
    farm.BROKEN: "status", farm.HANGING: "header", farm.DRIPPING: "body", farm.CLOSING: "protocol",
    farm.HUGE: "too_long", farm.ELSEWHERE: "redirect", farm.LOCKED: "status",
}  # fmt: skip


class ReportCase(unittest.TestCase):
    """A farm, and the command called in a folder of its own."""

    waited = 0.0  # seconds that the last report was kept waiting

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for the farm
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.port = self.serve()

    def serve(self, *certificate: str | Path) -> int:
        """The port of another farm."""
        run = [sys.executable, "-m", "tests.e2e.loopback_fleet", *map(str, certificate)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(run, cwd=ROOT, env=environment(), **pipes)

        def end() -> None:
            process.kill()
            process.communicate()

        self.addCleanup(end)
        assert process.stdout
        return int(process.stdout.readline())

    def host(self, kind: int, number: int) -> str:
        """A line of an inventory."""
        return f"{farm.address(kind, number)}:{self.port}"

    def refusing(self) -> str:
        """Where nothing listens."""
        holder = socket.socket()
        holder.bind(("127.0.0.1", 0))
        self.addCleanup(holder.close)
        return f"127.0.0.1:{holder.getsockname()[1]}"

    def report(self, hosts: list[str], *words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it; a traceback or another exit status fails the test."""
        inventory = self.folder / "fleet.txt"
        inventory.write_text("\n".join(hosts) + "\n")
        run = [*MONITOR436, "report", "-i", str(inventory), "-t", f"{TIMEOUT:g}", *map(str, words)]
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(run, cwd=self.folder, env=environment(), stdout=output, stderr=errors)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            self.waited = end_of(process, 60.0)
            for file in (output, errors):
                file.seek(0)
            done = subprocess.CompletedProcess(run, process.wait(), output.read(), errors.read())
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stdout + done.stderr)
        return done

    def read(self, hosts: list[str], *words: object, status: int = 0) -> dict[str, Any]:
        """The whole report."""
        found = json.loads(self.report(hosts, "--json", *words, status=status).stdout)
        assert isinstance(found, dict)
        return found

    def rows(self, pattern: str) -> list[dict[str, str]]:
        """Of the one CSV file of that name."""
        (path,) = self.folder.glob(pattern)
        with open(path, newline="") as file:
            return list(csv.DictReader(file))


class FleetTests(ReportCase):
    """A thousand hosts."""

    @pytest.mark.alone
    def test_every_host_is_in_its_class_and_sums_are_those_of_a_recomputation(self) -> None:
        """Good, slow, broken, hanging, dripping, refusing ones: all are told within the time-out and half a second."""
        good = [(farm.SLOW if number % 25 == 3 else farm.OK, number) for number in range(920)]
        bad = [(kind, number) for kind in EXPECTED for number in range(10)]
        refusing, unknown = self.refusing(), "no-such-host.invalid"
        hosts = [self.host(*each) for each in [*good, *bad]]
        found = self.read([*hosts, refusing, unknown], "-q", 92, "-o", self.folder)

        reasons = {self.host(kind, number): EXPECTED[kind] for kind, number in bad}
        reasons |= {refusing: "refused", unknown: "name"}
        self.assertEqual({each["host"]: each["reason"] for each in found["failures"]}, reasons)
        self.assertEqual(found["reasons"], dict(Counter(reasons.values())))
        self.assertEqual({row["Host"]: row["Reason"] for row in self.rows("*-failures.csv")}, reasons)
        self.assertEqual(found["answered"]["well"], len(good))
        self.assertLess(found["seconds"], TIMEOUT + SLACK + self.waited)

        wanted: dict[tuple[str, str], Counter[str]] = {}
        for _, number in good:
            says = farm.told(number)
            sums = wanted.setdefault((says["Application"], says["Version"]), Counter())
            sums.update({name: says[name] for name in farm.COUNTS}, Hosts=1)
        rows = self.rows("[0-9]*[0-9].csv")
        self.assertEqual(list(rows[0])[:3], ["Application", "Version", "Success_Count"])
        told = {
            (row["Application"], row["Version"]): {
                name: int(row[name]) for name in wanted[row["Application"], row["Version"]]
            }
            for row in rows
        }
        self.assertEqual(told, wanted)
        for row in rows:
            self.assertEqual(float(row["Success_Rate"]), 100 * int(row["Success_Count"]) / int(row["Request_Count"]))

    def test_half_a_percent_failing_passes_and_two_percent_are_refused(self) -> None:
        """Exit status 0 with the table, 3 with the failures by class."""
        good = [self.host(farm.OK, number) for number in range(400)]
        told = self.report([*good[:398], *(self.host(farm.BROKEN, number) for number in range(2))], "-o", self.folder)
        for line in ("Status: OK", "Total # of queries: 400", "Successful queries: 398", "Expected QoS:       99%",
                     "Actual QoS:         99.5%"):  # fmt: skip
            self.assertIn(line, told.stdout.splitlines())
        self.assertIn("Success_Count", told.stdout)
        self.assertIn("Output File: ", told.stdout)

        many = [*good[:392], *(self.host(farm.BROKEN, number) for number in range(5)), *[self.refusing()],
                *(self.host(farm.HUGE, number) for number in range(2))]  # fmt: skip
        told = self.report(many, "-o", self.folder, status=3)
        self.assertIn("Status: FAILED", told.stdout)
        self.assertIn("status 5  too_long 2  refused 1", told.stdout)
        self.assertNotIn("Success_Count", told.stdout)


class HostileTests(ReportCase):
    """Nothing but hosts that mean harm."""

    @pytest.mark.alone
    def test_a_thousand_of_them_take_bounded_time_and_memory(self) -> None:
        """Each is told as what it is; 200 of them send 64 MiB each, for which a busy machine needs its time."""
        kinds = (farm.HUGE, farm.DRIPPING, farm.HANGING, farm.CLOSING, farm.ELSEWHERE)
        inventory = self.folder / "fleet.txt"
        inventory.write_text("\n".join(self.host(kinds[number % 5], number) for number in range(1000)))
        run = [*MONITOR436, "report", "-i", str(inventory), "-t", f"{TIMEOUT:g}", "--json"]
        with open(self.folder / "report.json", "wb") as file:
            process = subprocess.Popen(run, env=environment(), stdout=file)
        waited = end_of(process, 60.0)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        found = json.loads((self.folder / "report.json").read_bytes())
        self.assertEqual((process.returncode, found["groups"]), (3, []))
        self.assertEqual(found["reasons"], {EXPECTED[kind]: 200 for kind in kinds})
        self.assertLess(found["seconds"], TIMEOUT + SLACK + waited)
        self.assertLess(used.ru_maxrss, MEMORY)


class BodyTests(ReportCase):
    """What status pages say."""

    def test_bodies_that_are_none_have_a_sentence_each(self) -> None:
        """And a class."""
        found = self.read([self.host(farm.RAW, number) for number in range(6)], status=3)
        told = [(each["reason"], each["text"]) for each in found["failures"]]
        self.assertEqual(
            told[:1] + told[2:],
            [
                ("schema", "the body is a JSON list, expected a JSON object"),
                ("schema", "the body has no Application"),
                ("schema", "the body has no Success_Count"),
                ("schema", 'Success_Count is the text "9", expected a whole number'),
                ("schema", "Success_Count is 20 of 10 in Request_Count, which is 200 %"),
            ],
        )
        self.assertEqual(told[1][0], "json")

    def test_other_fields_are_grouped_and_made_columns_of(self) -> None:
        """Also nested ones; the rate comes along."""
        hosts = [self.host(farm.OK, number) for number in range(30)]
        words = ["--group-by", "Version", "--aggregate", "queue.depth:max,mean", "--aggregate", "Uptime:p50", "--csv"]
        rows = list(csv.DictReader(self.report(hosts, *words).stdout.splitlines()))
        self.assertEqual([row["Version"] for row in rows], ["1.9.0", "1.10.0", "2.0.0"])
        for row in rows:
            mine = [farm.told(n) for n in range(30) if farm.told(n)["Version"] == row["Version"]]
            depths = [each["queue"]["depth"] for each in mine]
            self.assertEqual(int(row["queue.depth max"]), max(depths))
            self.assertAlmostEqual(float(row["queue.depth mean"]), sum(depths) / len(depths))
            self.assertEqual(int(row["Uptime p50"]), sorted(each["Uptime"] for each in mine)[4])
            self.assertTrue(row["Success_Rate"])

    def test_a_header_is_sent_and_need_not_be_seen_by_others(self) -> None:
        """From a file it is in no list of processes."""
        (self.folder / "secret").write_text(f"Authorization: {farm.SECRET}\n")
        hosts = [self.host(farm.LOCKED, 1)]
        self.assertEqual(self.read(hosts, status=3)["reasons"], {"status": 1})
        self.assertEqual(self.read(hosts, "--header", f"@{self.folder / 'secret'}")["status"], "OK")
        self.assertEqual(self.read(hosts, "--header", f"Authorization: {farm.SECRET}")["status"], "OK")


class ChangeTests(ReportCase):
    """From one report to the next."""

    def test_hosts_that_fail_now_are_told(self) -> None:
        """And the page of it is whole."""
        hosts = [self.host(farm.OK, number) for number in range(8)] + [
            self.host(farm.FICKLE, number) for number in range(2)
        ]
        (self.folder / "last.json").write_text(self.report(hosts, "--json").stdout)
        against = ["-q", ANY, "--against", self.folder / "last.json"]
        told = self.report(hosts, *against, "-o", self.folder, "--html").stdout
        self.assertIn("-20 points QoS", told)
        self.assertIn(f"failing now: {hosts[8]}, {hosts[9]}", told)
        (path,) = self.folder.glob("*.html")
        text = path.read_text()
        self.assertTrue(text.startswith("<!DOCTYPE html>") and text.endswith("</html>\n"))
        self.assertIn(f"failing now: {hosts[8]}, {hosts[9]}", text)
        self.assertEqual(self.read(hosts, *against)["since"]["failing"], hosts[8:])


class BrowserTests(ReportCase):
    """The page, in a browser."""

    def console(self, page: Path) -> str:
        """What a browser has to say of it; its policy refuses whatever would be fetched, and that is said too."""
        chromium = shutil.which("chromium")
        if chromium is None:
            self.skipTest("no chromium on this machine")
        run = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
        run += [f"--user-data-dir={self.folder / 'browser'}", page.as_uri()]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
        self.assertIn("How long answers took", done.stdout)
        return "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)

    def test_a_browser_shows_it_without_complaint_and_fetches_nothing(self) -> None:
        """A picture from elsewhere would be told, as is seen with one that is put in."""
        hosts = [self.host(farm.OK, number) for number in range(8)]
        self.report(hosts, "-o", self.folder, "--html")
        (path,) = self.folder.glob("*.html")
        self.assertEqual(self.console(path), "")
        path.write_text(path.read_text().replace("</body>", '<img src="http://127.0.0.1:9/x.png"></body>'))
        self.assertIn("Content Security Policy", self.console(path))


def private_pem(key: Any) -> bytes:
    """A key as a file holds it."""
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    assert isinstance(pem, bytes)
    return pem


class TlsTests(ReportCase):
    """https"""

    def test_a_certificate_is_believed_only_if_it_is_trusted(self) -> None:
        """By the system, by --ca, or because of --insecure."""
        path, options = certificate(self.folder, "localhost")
        assert options.privateKey
        key = self.folder / "key.pem"
        key.write_bytes(private_pem(options.privateKey.to_cryptography_key()))
        hosts = [f"localhost:{self.serve(path, key)}"]
        url = ["--url", "https://{server}/status"]
        self.assertEqual(self.read(hosts, *url, status=3)["reasons"], {"tls": 1})
        self.assertEqual(self.read(hosts, *url, "--ca", path)["status"], "OK")
        self.assertEqual(self.read(hosts, *url, "--insecure")["status"], "OK")
        self.assertEqual(self.read([f"localhost:{self.port}"], *url, "--insecure", status=3)["reasons"], {"tls": 1})


class InterruptionTests(ReportCase):
    """Ctrl-C"""

    def test_an_impatient_admin_is_obeyed_at_once(self) -> None:
        """Without a traceback, while a host hangs."""
        (self.folder / "fleet.txt").write_text(self.host(farm.HANGING, 1))
        run = [*MONITOR436, "report", "-i", str(self.folder / "fleet.txt"), "-t", "60"]
        output = self.folder / "output"
        with open(output, "wb") as file:
            process = subprocess.Popen(run, env=environment(), stdout=file, stderr=subprocess.STDOUT)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        peer = f"{self.port:04X}"
        connections = Path(f"/proc/{process.pid}/net/tcp")
        eventually(lambda: f":{peer} 01 " in connections.read_text(), 20, "it asks")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 1)
        self.assertEqual(output.read_text().strip(), "Aborted!")
