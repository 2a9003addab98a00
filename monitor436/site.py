"""The site's secrets on a server: its key, its certificate, and what is derived from them for agent files."""

import math
import os
import stat
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.ssl import PrivateCertificate

from monitor436.agent.wire import Key, same_tag

CENTURY = timedelta(days=36500)  # agents know the certificate by its pin, so its dates mean nothing


class SiteError(Exception):
    """The site folder cannot be used; the text says what to do."""


class Site:
    """`site.key`, 32 random bytes, and `site.pem`, a self-signed certificate with its key; both 0600.

    Servers of one site share copies of this folder. Whoever has it can be a server of the site.
    """

    def __init__(self, folder: Path) -> None:
        """Read the folder; what is missing is made. Raises SiteError."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            self.key = self._keep("site.key", lambda: os.urandom(32))
            pem = self._keep("site.pem", make_certificate)
        except OSError as problem:
            raise SiteError(f"{problem.filename or folder}: {problem.strerror}") from None
        if len(self.key) != 32:
            raise SiteError(f"{folder / 'site.key'}: expected 32 bytes, found {len(self.key)}")
        try:
            self.certificate = PrivateCertificate.loadPEM(pem)
            self.pin = sha256(x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)).hexdigest()
        except Exception as problem:  # OpenSSL has many ways to say so
            raise SiteError(f"{folder / 'site.pem'}: not a certificate with its key: {problem}") from None

    def token(self, now: float, life: float) -> str:
        """A join token, good for at least `life` seconds from `now` (wall clock): its expiry and an HMAC over it.

        The expiry is rounded up to half lives, so that the same agent file comes out when it is packed again.
        """
        half = life / 2
        expires = f"{math.ceil(now / half) * half + life:.0f}"
        return f"{expires}.{self._tag(b'join', expires)}"

    def good(self, token: str, now: float) -> bool:
        """Whether a server of this site made the token, and it has not expired."""
        expires, _, tag = token.partition(".")
        return same_tag(self._tag(b"join", expires).encode(), tag.encode()) and float(expires) > now

    def packed_serial(self, name: str) -> bytes:
        """The serial of a host whose key is packed into its agent file; the same when it is packed again."""
        return bytes.fromhex(self._tag(b"packed serial", name))[:8]

    def _tag(self, purpose: bytes, text: str) -> str:
        return Key(self.key).tag(b"m436/1 " + purpose + b"\0" + text.encode("ascii", "replace")).hex()

    def _keep(self, name: str, make: object) -> bytes:
        path = self.folder / name
        if path.exists():
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SiteError(f"{path}: others can read it: chmod 600")
            return path.read_bytes()
        content: bytes = make()  # type: ignore[operator]
        write_private(path, content)
        return content


def write_private(path: Path, content: bytes, mode: int = 0o600, sync: bool = True) -> None:
    """Replace a file, durably if `sync`; nobody else can read it at any moment. Raises OSError."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    os.replace(new, path)


def make_certificate() -> bytes:
    """A self-signed P-256 certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "monitor436 site")])
    today = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(today - timedelta(days=1)).not_valid_after(today + CENTURY)
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
