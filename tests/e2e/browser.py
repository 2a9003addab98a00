"""Debian's Chromium for tests, and servers over made-up fleets that it looks at."""

import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.processes import ROOT, environment

CHROMIUM = shutil.which("chromium") or ""
READY = 60.0  # seconds in which a server over a made-up fleet has told all its events
SHOWN = 4000  # letters of a page that are told when its test fails
PATIENCE = 15_000  # milliseconds for what a page is to show
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 740}
# What the browser itself logs of answers that tests provoke.
EXPECTED = ("status of 401", "status of 403", "status of 410")

try:
    from playwright.sync_api import sync_playwright
except ImportError:  # pragma: no cover
    sync_playwright = None  # type: ignore[assignment]

ABSENT = ""
if not CHROMIUM:
    ABSENT = "no chromium here (Debian's package of that name)"
elif sync_playwright is None:
    ABSENT = "no playwright here (pip install playwright)"


class Chromium:
    """One browser. Every page is of a context of its own, with its own cookies."""

    def __init__(self) -> None:
        assert sync_playwright is not None
        self._playwright = sync_playwright().start()
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        self._browser = self._playwright.chromium.launch(executable_path=CHROMIUM, args=options)

    def close(self) -> None:
        """End it."""
        self._browser.close()
        self._playwright.stop()

    @contextmanager
    def page(self, scheme: str = "light", size: dict[str, int] = WIDE, cookies: Any = None) -> Iterator[Any]:
        """A page; at its end nothing may have been logged or thrown in it, and nothing asked of another server."""
        context = self._browser.new_context(color_scheme=scheme, viewport=size, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE)
        wrong: list[str] = []
        if cookies:
            context.add_cookies(cookies)
        page = context.new_page()
        page.on("pageerror", lambda problem: wrong.append(f"thrown: {problem}"))
        page.on("console", lambda said: said.type in ("error", "warning") and wrong.append(_logged(said)))
        page.on("request", lambda asked: "//127.0.0.1:" in asked.url or wrong.append(f"asked: {asked.url}"))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        try:
            yield page
        except BaseException:
            print(f"at {page.url}; {wrong}", page.locator("body").inner_text()[:SHOWN], sep="\n")
            raise
        finally:
            context.close()
        wrong = [each for each in wrong if not any(known in each for known in EXPECTED)]
        if wrong:
            raise AssertionError("; ".join(wrong))


class MadeUpFleet:
    """A server over a fleet that is made up, in a process of its own."""

    def __init__(self, folder: Path, hosts: int) -> None:
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self._popen = subprocess.Popen(
            [*leash, sys.executable, "-m", "tests.e2e.made_up_fleet", str(folder), str(hosts), "--admin"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.link = self.said("http://", READY)
        except AssertionError:
            self.close()
            raise
        self.root = self.link.partition("/#")[0]

    @property
    def memory(self) -> int:
        """Bytes that are resident in its process."""
        return int(Path(f"/proc/{self._popen.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def tell(self, command: str) -> None:
        """A command of made_up_fleet."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(command + "\n")
        self._popen.stdin.flush()

    def turn(self, events: int) -> None:
        """So many events become durable; returns when they are."""
        self.tell(f"turn {events}")
        self.said("done", READY)

    def new_link(self, scope: str) -> str:
        """Another link to sign in with."""
        self.tell(f"link {scope}")
        return self.said("http://", READY)

    def said(self, wanted: str, seconds: float) -> str:
        """The next line that begins so."""
        lines = []
        while True:
            try:
                line = self._said.get(timeout=seconds)
            except queue.Empty:
                raise AssertionError(f"it did not say {wanted!r} within {seconds} s, but: {lines}") from None
            lines.append(line)
            if not line and self._popen.poll() is not None:
                raise AssertionError(f"it ended before it said {wanted!r}: {lines}")
            if line.startswith(wanted):
                return line

    def close(self) -> None:
        """End it."""
        assert self._popen.stdin is not None and self._popen.stdout is not None
        self._popen.stdin.close()
        try:
            self._popen.wait(30)
        finally:
            self._popen.kill()
            self._popen.wait()
            self._reader.join(5)
            self._popen.stdout.close()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self._said.put(line.rstrip("\n"))
        self._popen.wait()
        self._said.put("")


def _logged(said: Any) -> str:
    return f"logged: {said.text} ({said.location['url']}) at {said.page.url if said.page else ''}"


def visit(page: Any, address: str) -> None:
    """Load an address from nothing: what the page showed before cannot be taken for what it is to show."""
    page.goto("about:blank")
    page.goto(address)


def signed_in(page: Any, link: str) -> list[Any]:
    """Sign in with a link; the cookies, for further pages."""
    page.goto(link)
    page.wait_for_selector("nav#pages:not([hidden])")
    cookies: list[Any] = page.context.cookies()
    return cookies
