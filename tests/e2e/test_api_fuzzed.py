"""What schemathesis makes of the OpenAPI document: whatever it sends, no answer is a mistake of the server.

M436_API_EXAMPLES=N: so many examples of each operation, and every boundary of every schema beside them.
"""

import os
import unittest

from msgspec import structs

from monitor436.model.settings.http import Http
from tests.e2e.processes import BIN, run
from tests.e2e.servers import on_loopback
from tests.e2e.stage import Stage

SCHEMATHESIS = BIN / "schemathesis"
FEW = 4  # examples of each operation in every run
MANY = os.environ.get("M436_API_EXAMPLES", "")
LONGEST = 900.0 if MANY else 90.0  # seconds


@unittest.skipUnless(SCHEMATHESIS.exists(), "schemathesis is not installed (setup.cfg: e2e)")
class FuzzedTests(Stage):
    """A server that an admin asks nonsense."""

    def test_nonsense_is_refused_and_never_breaks_a_page(self) -> None:
        """But for the stream, which does not end by itself. What breaks is in the server's log, too."""
        limits = Http(listen=on_loopback().http.listen, connections_each=500)
        server = self.server(structs.replace(on_loopback(), http=limits)).start()
        status, text = server.command("token", "new", "admin", "--scope", "admin")
        self.assertEqual(status, 0, text)
        url = f"http://{server.settings.http.listen}/api/openapi.json"
        argv = [str(SCHEMATHESIS), "run", url, "-H", f"Authorization: Bearer {text.strip()}", "--no-color"]
        argv += ["--checks", "not_a_server_error", "--generation-deterministic"]
        argv += ["--exclude-path", "/api/live", "--phases", "coverage,fuzzing" if MANY else "fuzzing"]
        status, told = run([*argv, "--max-examples", MANY or str(FEW)], seconds=LONGEST)
        self.assertEqual(status, 0, told)
        self.assertRegex(told, r"\d+ generated, \d+ passed")
