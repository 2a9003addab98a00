"""Lizmon's users: the lines of its README, typed against a real server, and its monitor's successor beside it."""

import json
import re
import shutil
import signal
import socket
import time
import unittest
from pathlib import Path
from typing import Any

from cryptography import x509
from msgspec import structs

from monitor436.model.settings.http import Http
from tests.e2e.patience import eventually
from tests.e2e.ports import LOOPBACK, free_port
from tests.e2e.processes import MONITOR436, Process, run
from tests.e2e.servers import SOON, Server, on_loopback
from tests.e2e.stage import Stage
from tests.web.authority import Authority, written

PUBLISHED = re.compile(r"^INFO:  Publish was successful to (\S+)/(\d+)$", re.M)


class LizmonCase(Stage):
    """Shared: a server whose API needs no token, as lizmon's needed none."""

    def receiver(self) -> Server:
        """It runs."""
        settings = on_loopback()
        open_to_all = Http(listen=settings.http.listen, without_token=("read", "metrics"))
        return self.server(structs.replace(settings, http=open_to_all)).start()

    def url(self, server: Server) -> str:
        """Where its API is."""
        return f"http://{server.settings.http.listen}/api/perf"

    def curl(self, *words: str) -> str:
        """What curl prints, which must succeed."""
        status, text = run(["curl", "--silent", "--show-error", "--max-time", "20", *words])
        self.assertEqual(status, 0, text)
        return text

    def summary(self, url: str) -> Any:
        """The summaries at a URL."""
        return json.loads(self.curl(url))


@unittest.skipIf(shutil.which("curl") is None, "not installed: curl")
class ReadmeTests(LizmonCase):
    def test_the_five_lines_of_its_readme_give_what_it_documented(self) -> None:
        """A receiver on a port; a post; all summaries; those with a label; and that again and again, formatted."""
        url = self.url(self.receiver())
        now = int(time.time())
        for second in range(5):
            self.curl("--fail", "-d", json.dumps({"cpu": 4.5 + second / 4, "mem": 61}), f"{url}/jarvis/{now - second}")
        whole = self.summary(f"{url}/jarvis")
        names = ["summary:by-minute:cpu", "summary:by-hour:cpu", "summary:by-minute:mem", "summary:by-hour:mem"]
        self.assertEqual(sorted(whole), sorted(names))
        self.assertEqual(sum(each["num-samples"] for each in whole[names[0]]["averages"]), 5)
        by_hour = whole[names[1]]["averages"]
        self.assertEqual(by_hour[-1]["end-sec"] - by_hour[-1]["start-sec"], 3600)
        labelled = self.summary(f"{url}/jarvis/by-minute:CPU")
        self.assertEqual(list(labelled), ["summary:by-minute:cpu"])
        loop = f"for turn in 1 2 3; do curl -s {url}/jarvis/by-minute:cpu | python3 -m json.tool; done"
        status, text = run(["bash", "-c", loop])
        self.assertEqual((status, text.count('"summary:by-minute:cpu": {')), (0, 3), text)
        for key in ("averages", "start", "end", "timeslice-size-sec", "average-count"):
            self.assertEqual(text.count(f'"{key}": '), 3, key)
        for key in ("start-sec", "avg", "interval-size-sec", "end-sec", "num-samples"):
            self.assertEqual(text.count(f'"{key}": '), 3 * len(labelled[names[0]]["averages"]), key)

    def test_what_curl_gets_wrong_is_told(self) -> None:
        """With a status that scripts see."""
        url = self.url(self.receiver())
        for path, body, words in (
            (f"jarvis/{int(time.time())}000", '{"cpu": 1}', "milliseconds"),
            (f"jarvis/{int(time.time()) + 7200}", '{"cpu": 1}', "ahead of the clock"),
            (f"jarvis/{int(time.time())}", '{"cpu": "much"}', "expected a number"),
            (f"jarvis/{int(time.time())}", "cpu=1", "expected JSON"),
        ):
            text = self.curl("-w", " %{http_code}", "-d", body, f"{url}/{path}")
            self.assertIn(words, text)
            self.assertRegex(text, " 4[0-9][0-9]$")


class PushTests(LizmonCase):
    def push(self, *words: str) -> Process:
        """`monitor436 push` runs."""
        process = Process([*MONITOR436, "push", "--this-host", "Jarvis", *words], self.folder / "push.log")
        self.addCleanup(process.kill)
        return process

    def test_samples_wait_while_the_receiver_is_away_and_none_is_lost(self) -> None:
        """Another receiver, which is never there, holds up nothing; told to stop, it ends cleanly."""
        server = self.receiver()
        away = "http://127.0.0.1:9/api/perf"
        push = self.push("--publish", self.url(server), away)
        push.says(f"INFO:  Publish was successful to {self.url(server)}/Jarvis/", SOON)
        server.stop()
        push.says(f"ERROR:  Publish failed to {self.url(server)}", SOON)
        again = rf"failed to {re.escape(self.url(server))}/.* waits?, again in 2 s$"  # the other's is said before
        eventually(lambda: re.search(again, push.output, re.M), SOON, "it was asked again, and is still away")
        server.start()
        eventually(lambda: "well" if self._complete(push, server) else "", SOON, "all seconds were published")
        self.assertEqual(push.stop(), 0)
        seconds = [int(at) for _, at in PUBLISHED.findall(push.output)]
        self.assertEqual(seconds, sorted(seconds))
        told = self.summary(f"{self.url(server)}/jarvis/by-hour:cpu")
        counted = sum(each["count"] for each in told["summary:by-hour:cpu"]["averages"])
        self.assertEqual(counted, len(seconds))
        self.assertIn(f"ERROR:  Publish failed to {away}", push.output)
        self.assertIn("not published", push.output)

    def test_an_impatient_admin_is_heard_once(self) -> None:
        """A sample that is on its way has two seconds; who says so again meanwhile gets no traceback."""
        with socket.create_server((LOOPBACK, free_port())) as deaf:
            deaf.settimeout(SOON)
            push = self.push("--publish", f"http://{LOOPBACK}:{deaf.getsockname()[1]}/api/perf")
            link, _ = deaf.accept()
            with link:
                for number in (signal.SIGINT, signal.SIGTERM):  # two of the same could become one
                    push.send(number)
                self.assertEqual(push.ended(), 0)
        self.assertNotIn("Traceback", push.output)
        self.assertIn("not published", push.output)

    def test_once_says_by_its_status_whether_it_was_published(self) -> None:
        """By every receiver."""
        server = self.receiver()
        once = [*MONITOR436, "push", "--this-host", "a", "--once", "--publish", self.url(server)]
        status, text = run([*once, "http://127.0.0.1:9/api/perf"])
        self.assertEqual(status, 1)
        self.assertIn("Connection refused", text)
        self.assertIn(f"INFO:  Publish was successful to {self.url(server)}/a/", text)
        self.assertIn("1 of what was measured was not published", text)
        self.assertEqual(len(self.summary(f"{self.url(server)}/a")), 4)

    def test_a_token_out_of_a_file_opens_a_receiver_that_wants_one(self) -> None:
        """Without it the failure is told as it is."""
        server = self.server(on_loopback()).start()
        status, token = server.command("token", "new", "pusher", "--scope", "metrics")
        self.assertEqual(status, 0, token)
        found = re.search(r"m436_[A-Za-z0-9_-]+", token)
        assert found
        file = Path(self.folder / "token")
        file.write_text(found[0] + "\n")
        once = [*MONITOR436, "push", "--this-host", "a", "--once", "--publish", self.url(server)]
        status, text = run(once)
        self.assertEqual(status, 1)
        self.assertIn("HTTP status 401", text)
        eventually(lambda: run([*once, "--token-file", file])[0] == 0, SOON, "the server takes the new token")

    def test_a_certificate_gets_a_token_and_posts_with_it(self) -> None:
        """A receiver that is not trusted here is told."""
        authority = Authority()
        files = written(
            self.folder,
            ca=authority.pem,
            server=authority.signed(x509.DNSName("localhost"), client=False),
            web1=authority.signed(x509.DNSName("web1")),
        )
        settings = on_loopback()
        http = Http(listen=settings.http.listen, certificate=files["server"], client_ca=files["ca"])
        server = self.server(structs.replace(settings, http=http)).start()
        url = f"https://localhost:{server.settings.http.listen.rpartition(':')[2]}/api/perf"
        once = [*MONITOR436, "push", "--this-host", "web1", "--once", "--publish", url]
        status, text = run([*once, "--ca", files["ca"], "--certificate", files["web1"]])
        self.assertEqual(status, 0, text)
        status, text = run([*once, "--certificate", files["web1"]])
        self.assertEqual((status, "TLS: certificate verify failed" in text), (1, True), text)

    def _complete(self, push: Process, server: Server) -> bool:
        """Whether every second from the first to a late one was published to the server."""
        seconds = [int(at) for base, at in PUBLISHED.findall(push.output)]
        failed = re.findall(rf"failed to {self.url(server)}/Jarvis/(\d+)", push.output)
        return bool(seconds and failed) and max(seconds) > int(failed[-1]) + 3
