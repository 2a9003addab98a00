"""The files for containers: each is what its program takes, and what one names the others have."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import yaml

from monitor436 import cli
from monitor436.binder import bind
from monitor436.model.settings.whole import Settings
from monitor436.yaml_source import compose
from tests.test_layers import ROOT

FOLDER = ROOT / "etc/container"
NGINX = shutil.which("nginx", path="/usr/sbin:" + os.environ["PATH"])


def text(name: str) -> str:
    """A file."""
    return (FOLDER / name).read_text("utf-8")


class ContainerTests(unittest.TestCase):
    whole: Any = yaml.safe_load(text("compose.yaml"))

    def test_every_file_that_is_mounted_is_there(self) -> None:
        """But for the certificate, which is nobody else's; and every volume is declared."""
        for service in self.whole["services"].values():
            for volume in service["volumes"]:
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue(source == "./tls" or (FOLDER / source).exists(), source)
                else:
                    self.assertIn(source, self.whole["volumes"])

    def test_the_settings_are_good_and_fit_what_stands_beside_the_server(self) -> None:
        """Redis, nginx and its sub-path."""
        settings = bind(compose(text("monitor436.yaml"), "monitor436.yaml"), Settings, "")
        self.assertEqual(list(settings.problems()), [])
        self.assertIn(f"proxy_pass http://{settings.http.listen};", text("nginx.conf"))
        self.assertIn(f"location {settings.http.base}/ {{", text("nginx.conf"))
        host, port = settings.redis.address.split(":")
        self.assertIn(f"bind {host}\nport {port}\n", text("redis.conf"))
        self.assertEqual(settings.metrics.store, "redis")

    def test_the_image_runs_commands_that_there_are(self) -> None:
        """Where the settings are mounted."""
        shown = text("Dockerfile")
        commands = re.findall(r'(?:CMD) \[(?:"monitor436", )?"([a-z]+)"', shown)
        self.assertEqual(commands, ["hosts", "run"])
        self.assertLessEqual(set(commands), cli.COMMANDS.keys())
        [settings] = re.findall(r'"-c", "([^"]+)"', shown)
        self.assertTrue(any(f":{settings}:ro" in volume for volume in self.whole["services"]["server"]["volumes"]))
        self.assertIn("/site/var", shown)

    @unittest.skipIf(NGINX is None or shutil.which("openssl") is None, "needs nginx and openssl")
    def test_nginx_understands_its_file(self) -> None:
        """With a certificate made for that."""
        with tempfile.TemporaryDirectory() as folder:
            names = [str(Path(folder) / name) for name in ("server.pem", "server.key")]
            made = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-days", "1"]
            subprocess.run([*made, "-out", names[0], "-keyout", names[1]], check=True, capture_output=True, timeout=30)
            path = Path(folder) / "nginx.conf"
            path.write_text(f"pid {folder}/pid;\n" + text("nginx.conf").replace("/etc/nginx/tls", folder))
            done = subprocess.run(
                [str(NGINX), "-t", "-c", path, "-p", folder, "-e", "stderr"], capture_output=True, timeout=30
            )
        self.assertEqual(done.returncode, 0, done.stderr.decode())
