"""Whom notifiers trust over TLS, and in words why they did not."""

from typing import Any

from OpenSSL import SSL
from twisted.internet.ssl import VerificationError, platformTrust, trustRootFromCertificates

from monitor436.notifiers.notifier import NotSent
from monitor436.pem import authorities

UNTRUSTED = "certificate verify failed"  # as OpenSSL has it


def trust(ca: str) -> Any:
    """The authorities in a file of PEM certificates; without one those of the system. Raises NotSent."""
    if not ca:
        return platformTrust()
    try:
        return trustRootFromCertificates(authorities(ca))
    except OSError as problem:
        raise NotSent(f"{ca}: {problem.strerror}") from None
    except ValueError as problem:
        raise NotSent(str(problem)) from None


def why(problem: BaseException, host: str, ca: str) -> str:
    """What was in the way of a connection to `host`, a sentence."""
    if isinstance(problem, VerificationError):
        return f"the certificate that {host} shows is for another name"
    if isinstance(problem, SSL.Error):
        said = [str(reason[-1]) for reason in problem.args[0]] if problem.args else []
        if UNTRUSTED in said:
            whom = f"nobody in {ca}" if ca else "nobody whom this machine trusts"
            return f"the certificate that {host} shows is not trusted: {whom} has signed it, or its time is over"
        return f"no TLS with {host}: {'; '.join(said) or 'it failed'}"
    return str(problem).strip() or type(problem).__name__
