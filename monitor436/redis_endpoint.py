"""Where Redis or Valkey is and how one comes in: the endpoint, the first words, and what went wrong there."""

from typing import Any

from twisted.internet import ssl
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError, DNSLookupError

from monitor436.model.settings.redis import Redis, place
from monitor436.pem import authorities, own_certificate

NEXT_ADDRESS = 0.1  # seconds until the next address of a name is tried beside the one before
LONGEST_PASSWORD = 4096  # bytes


def endpoint(redis: Redis, reactor: Any) -> Any:
    """Where to connect. Raises OSError and ValueError with a sentence if a PEM file or the address is not right."""
    host, port = place(redis.address)
    where: Any
    if isIPAddress(host) or isIPv6Address(host):
        kind = TCP4ClientEndpoint if isIPAddress(host) else TCP6ClientEndpoint
        where = kind(reactor, host, port, timeout=redis.time_limit)
    else:
        where = HostnameEndpoint(reactor, host, port, redis.time_limit, attemptDelay=NEXT_ADDRESS)
    if not redis.tls:
        return where
    trust = ssl.trustRootFromCertificates(authorities(redis.ca)) if redis.ca else ssl.platformTrust()
    own = own_certificate(redis.certificate) if redis.certificate else None
    return wrapClientTLS(ssl.optionsForClientTLS(host, trustRoot=trust, clientCertificate=own), where)


def greeting(redis: Redis) -> list[tuple[str | bytes | int, ...]]:
    """The first commands on a connection; the last is PING. The password is read anew. Raises OSError."""
    commands: list[tuple[str | bytes | int, ...]] = []
    if redis.password_file:
        with open(redis.password_file, "rb") as file:
            password = file.readline(LONGEST_PASSWORD).rstrip(b"\r\n")
        commands.append(("AUTH", redis.user, password) if redis.user else ("AUTH", password))
    if redis.database:
        commands.append(("SELECT", redis.database))
    return [*commands, ("PING",)]


def why(problem: BaseException | None) -> str:
    """What became of a connection, in words that follow "Redis at host:port"."""
    if isinstance(problem, ssl.SSL.Error):  # type: ignore[attr-defined]
        said = [each[-1] for each in problem.args[0]] if problem.args and isinstance(problem.args[0], list) else []
        return f"does not agree on TLS: {', '.join(said) or 'it is no TLS'}"
    if type(problem).__name__ in ("VerificationError", "CertificateError"):
        return "has a certificate for another name"
    if isinstance(problem, ConnectionRefusedError):
        return "does not listen there"
    if isinstance(problem, DNSLookupError):
        return "has no address: its name is not known"
    if isinstance(problem, ConnectionLost | ConnectionDone):
        return "ended the connection"
    return f"cannot be reached: {problem}"
