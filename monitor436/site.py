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
from monitor436.model.keys.site_keys import SiteKeys, mark

CENTURY = timedelta(days=36500)  # agents know the certificate by its pin, so its dates mean nothing
SIZE = 32  # bytes of a site key
KEY, BEFORE, CERTIFICATE = "site.key", "site.key.before", "site.pem"

Stamp = tuple[tuple[int, int, int] | None, ...]


class SiteError(Exception):
    """The site folder cannot be used; the text says what to do."""


class Site:
    """`site.key`, 32 random bytes, and `site.pem`, a self-signed certificate with its key; both 0600.

    Servers of one site share copies of this folder. Whoever has it can be a server of the site. While hosts are moved
    to another key, the one before is `site.key.before`; `keys` are those that are good, `found` is the stamp of their
    files when this object was made.
    """

    def __init__(self, folder: Path) -> None:
        """Read the folder; what is missing is made. Raises SiteError."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._keep(KEY, lambda: os.urandom(SIZE))
            pem = self._keep(CERTIFICATE, make_certificate)
        except OSError as problem:
            raise SiteError(f"{problem.filename or folder}: {problem.strerror}") from None
        self.found = self.stamp()  # before they are read: a change in between is seen by whoever compares with it
        self.keys = self._read()
        try:
            self.certificate = PrivateCertificate.loadPEM(pem)
            self.pin = sha256(x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)).hexdigest()
        except Exception as problem:  # OpenSSL has many ways to say so
            raise SiteError(f"{folder / CERTIFICATE}: not a certificate with its key: {problem}") from None

    @property
    def key(self) -> bytes:
        """The present key."""
        return self.keys.present

    def stamp(self) -> Stamp:
        """What differs after the key files were changed: time of change (ns), size and inode of each that is there."""
        return tuple(_stamp(self.folder / name) for name in (KEY, BEFORE))

    def reload(self) -> bool:
        """Read the keys again; whether they are others now. Raises SiteError, and then those of before stay good.

        Should the key be another one without a file of the one before, copying is not done yet: what was in use until
        now stays good.
        """
        found = self._read()
        if found.before is None and found.present != self.keys.present:
            found = SiteKeys(found.present, self.keys.present)
        changed = found.accepted != self.keys.accepted
        self.keys = found
        return changed

    def rotate(self) -> None:
        """Make another key; the one before is kept beside it. Raises SiteError, also while one is kept already."""
        if (self.folder / BEFORE).exists():
            raise SiteError(f"{self.folder / BEFORE} exists: finish that rotation first")
        try:
            write_private(self.folder / BEFORE, self.key)  # first: at no moment is there a key that no file holds
            write_private(self.folder / KEY, os.urandom(SIZE))
            _sync(self.folder)
        except OSError as problem:
            raise SiteError(f"{problem.filename or self.folder}: {problem.strerror}") from None
        self.keys = self._read()

    def finish(self) -> None:
        """Remove the key before: who still uses it is not heard any more. Raises SiteError."""
        try:
            (self.folder / BEFORE).unlink()
            _sync(self.folder)
        except OSError as problem:
            raise SiteError(f"{problem.filename or self.folder}: {problem.strerror}") from None
        self.keys = self._read()

    @property
    def mark(self) -> str:
        """What the present key is known by."""
        return mark(self.key)

    def token(self, now: float, life: float) -> str:
        """A join token, good for at least `life` seconds from `now` (wall clock): its expiry and an HMAC over it.

        The expiry is rounded up to half lives, so that the same agent file comes out when it is packed again.
        """
        half = life / 2
        expires = f"{math.ceil(now / half) * half + life:.0f}"
        return f"{expires}.{_tag(self.key, b'join', expires)}"

    def good(self, token: str, now: float) -> bool:
        """Whether a server of this site made the token, under a key that is good, and it has not expired."""
        expires, _, tag = token.partition(".")
        expected = [_tag(key, b"join", expires).encode() for key in self.keys.accepted]
        return any(same_tag(each, tag.encode()) for each in expected) and float(expires) > now

    def packed_serial(self, name: str) -> bytes:
        """The serial of a host whose key is packed into its agent file; the same when it is packed again."""
        return packed_serial(bytes.fromhex(self.pin), name)

    def _read(self) -> SiteKeys:
        """The keys in the folder. Raises SiteError."""
        present = self._key(KEY)
        if present is None:
            raise SiteError(f"{self.folder / KEY} is missing")
        return SiteKeys(present, self._key(BEFORE))

    def _key(self, name: str) -> bytes | None:
        path = self.folder / name
        try:
            _refuse_if_others_can_read(path)
            key = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise SiteError(f"{path}: {problem.strerror}") from None
        if len(key) != SIZE:
            raise SiteError(f"{path}: expected {SIZE} bytes, found {len(key)}")
        return key

    def _keep(self, name: str, make: object) -> bytes:
        path = self.folder / name
        if path.exists():
            _refuse_if_others_can_read(path)
            return path.read_bytes()
        content: bytes = make()  # type: ignore[operator]
        write_private(path, content)
        return content


def packed_serial(pin: bytes, name: str) -> bytes:
    """The serial of a host in a file packed for it. It comes from the pin, as a name belongs to one serial, also after
    the site key was exchanged."""
    return bytes.fromhex(_tag(pin, b"packed serial", name))[:8]


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
    if sync:
        _sync(path.parent)


def _tag(key: bytes, purpose: bytes, text: str) -> str:
    return Key(key).tag(b"m436/1 " + purpose + b"\0" + text.encode("ascii", "replace")).hex()


def _refuse_if_others_can_read(path: Path) -> None:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SiteError(f"{path}: others can read it: chmod 600")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


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
