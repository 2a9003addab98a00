"""Certificates out of PEM files, and a sentence where there are none."""

from pathlib import Path
from typing import Any

from twisted.internet import ssl


def authorities(path: str) -> list[Any]:
    """Every certificate in a file. Raises OSError if it cannot be read, ValueError if it holds none."""
    end = b"-----END CERTIFICATE-----"
    pieces = Path(path).read_bytes().split(end)[:-1]
    try:
        if pieces:
            return [ssl.Certificate.loadPEM(piece + end + b"\n") for piece in pieces]
    except Exception:
        pass  # the sentence below says it better than OpenSSL
    raise ValueError(f"{path}: expected PEM certificates")


def own_certificate(path: str, key: str = "") -> "ssl.PrivateCertificate":
    """A certificate of ours with its key, from the same file unless `key` names another. Raises OSError, ValueError."""
    text = Path(path).read_bytes() + b"\n" + (Path(key).read_bytes() if key else b"")
    try:
        return ssl.PrivateCertificate.loadPEM(text)  # type: ignore[no-any-return]
    except Exception:  # OpenSSL has many ways to say so
        raise ValueError(f"{path}: expected a PEM certificate with its key, which has no password") from None
