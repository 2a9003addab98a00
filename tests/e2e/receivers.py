"""The receiver of mails and requests as a test has it: a process that can be ended, started again, and read."""

import json
import sys
from datetime import datetime, timedelta
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.ports import free_port
from tests.e2e.processes import Process
from tests.e2e.servers import SOON

NAME = "localhost"


class Receiver:
    """`mails`, `requests` and, over TLS, `secure` are its ports; `certificate` is what it shows."""

    def __init__(self, folder: Path) -> None:
        self.mails = free_port()
        self.requests = free_port()
        self.secure = free_port()
        self.certificate, self._pem = folder / "mail.crt", folder / "mail.pem"
        self._file, self._log = folder / "received.jsonl", folder / "receiver.log"
        self._process: Process | None = None
        make_certificate(self.certificate, self._pem)

    def start(self, *words: str) -> "Receiver":
        """Run it; returns when it listens."""
        ports = [str(self.mails), str(self.requests), str(self.secure)]
        argv = [sys.executable, "-m", "tests.e2e.receiver", *ports, self._pem, self._file, *words]
        self._process = Process(argv, self._log)
        self._process.says("receiving", SOON)
        return self

    def kill(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.kill()

    def mail(self) -> list[EmailMessage]:
        """Every mail so far."""
        found = [message_from_string(line["mail"], policy=default) for line in self._lines() if "mail" in line]
        return cast(list[EmailMessage], found)

    def posts(self, path: str = "/") -> list[dict[str, Any]]:
        """Every request to a path so far."""
        return [line for line in self._lines() if line.get("request") == path]

    def _lines(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text().splitlines(keepends=True) if line.endswith("\n")]


def make_certificate(certificate: Path, pem: Path) -> None:
    """A self-signed certificate for localhost, alone and with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    begin = datetime(2020, 1, 1)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, begin, begin + timedelta(36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate.write_bytes(text)
    pem.write_bytes(secret + text)
