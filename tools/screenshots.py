"""Pictures of the dashboard for the documents: `python tools/screenshots.py [FOLDER]`, docs/screenshots by default.

A server over a fleet that is made up, looked at with Debian's Chromium; each page light and dark, and one on a phone.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e.browser import PHONE, Chromium, MadeUpFleet, signed_in  # noqa: E402

HOSTS = 1200
SIZE, HIGH = {"width": 1200, "height": 820}, {"width": 1200, "height": 1000}
PAGES = {
    "fleet": ("#/", "tbody tr"),
    "host": ("#/host/app006", ".chart canvas"),
    "events": ("#/events", ".events li"),
    "polls": ("#/polls", "svg.rounds"),
    "sweeps": ("#/polls", "#sweep-racks"),
    "silences": ("#/silences", "#silences-title"),
}
SILENCES = (
    {"host": "build*", "seconds": 7200, "text": "the build farm gets new disks"},
    {"host": "web017", "check": "certificates", "seconds": 86400, "text": "is renewed tonight"},
)
ACTS = """([path, body]) => fetch('api/' + path, {method: 'POST', body: JSON.stringify(body),
  headers: {'Content-Type': 'application/json', 'X-Monitor436': '1'}}).then((answer) => answer.status)"""


def take(page: Any, fleet: MadeUpFleet, name: str, into: Path) -> None:
    """One picture."""
    path, shows = PAGES[name]
    if name == "host" and page.viewport_size["width"] > PHONE["width"]:
        page.set_viewport_size(HIGH)
    else:
        page.set_viewport_size(PHONE if page.viewport_size["width"] == PHONE["width"] else SIZE)
    page.goto(f"{fleet.root}/{path}")
    page.wait_for_selector(shows)
    page.wait_for_selector("#link[data-state=live]")
    page.wait_for_timeout(1500)
    if name == "sweeps":
        page.evaluate("document.querySelector('#sweep-racks').closest('section').scrollIntoView()")
    page.screenshot(path=str(into))
    print(f"{into.name}  {into.stat().st_size / 1024:.0f} KiB")


def main() -> None:
    """All of them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="m436-") as site:
        fleet, browser = MadeUpFleet(Path(site) / "site", HOSTS), Chromium()
        try:
            for scheme in ("light", "dark"):
                with browser.page(scheme, SIZE) as page:
                    page.goto(fleet.root + "/")
                    page.wait_for_selector("#token")
                    page.screenshot(path=str(folder / f"sign-in-{scheme}.png"))
            with browser.page("light", SIZE) as page:
                cookies = signed_in(page, fleet.link)
                for silence in SILENCES:
                    page.evaluate(ACTS, ["silences", silence])
                page.evaluate(ACTS, ["acknowledgements", {"host": "app008", "text": "power supply is on its way"}])
            fleet.turn(12)
            for scheme in ("light", "dark"):
                with browser.page(scheme, SIZE, cookies) as page:
                    for name in PAGES:
                        take(page, fleet, name, folder / f"{name}-{scheme}.png")
            with browser.page("light", PHONE, cookies) as page:
                take(page, fleet, "fleet", folder / "phone-light.png")
            with browser.page("dark", PHONE, cookies) as page:
                take(page, fleet, "host", folder / "phone-dark.png")
        finally:
            browser.close()
            fleet.close()


if __name__ == "__main__":
    main()
