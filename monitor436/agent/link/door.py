"""The server's TLS door, from the host's side: join, fetch the plan.

Runs as a short-lived child of the agent (`agent436.pyz _door`), so that ssl never stays in the resident process: one
request as JSON on stdin, one answer as JSON on stdout. The certificate is known by its SHA-256 pin; nothing is sent
before the pin was compared.
"""

import http.client
import json
import os
import ssl
import sys

from monitor436.agent import wire

TIMEOUT = 10.0  # seconds for each step on the socket; the parent bounds the whole
MAX_ANSWER = 1024 * 1024  # bytes


class DoorError(Exception):
    """The door could not be used; the text says why, for the operator of the host."""


def authorization(name: str, serial: bytes, generation: int, secret: bytes, pin: str, path: str) -> str:
    """The Authorization header by which a host proves its key: scheme, name, serial, generation, nonce, proof."""
    nonce = os.urandom(16).hex()
    proof = wire.door_proof(secret, pin, nonce, path)
    return "M436 {} {} {} {} {}".format(name, serial.hex(), generation, nonce, proof)


def request(
    host: str,
    port: int,
    pin: str,
    method: str,
    path: str,
    authorized: str,
    body: bytes = b"",
    timeout: float = TIMEOUT,
) -> "tuple[int, bytes]":
    """Status and body of one exchange with the server that has the certificate `pin`. Raises DoorError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the pin below is the check: neither dates nor authorities are needed
    connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    try:
        connection.connect()
        certificate = connection.sock.getpeercert(True)
        if not wire.same_tag(wire.SHA256(certificate or b"").hexdigest(), pin):
            raise DoorError("{}:{} has another certificate than this agent file was packed for".format(host, port))
        connection.request(method, path, body or None, {"Authorization": authorized})
        response = connection.getresponse()
        answer = response.read(MAX_ANSWER + 1)
    except (OSError, http.client.HTTPException) as problem:
        raise DoorError("{}:{} (tcp): {}".format(host, port, problem or type(problem).__name__)) from None
    finally:
        connection.close()
    if len(answer) > MAX_ANSWER:
        raise DoorError("the answer is over {} bytes".format(MAX_ANSWER))
    return response.status, answer


def exchange(asked: "dict[str, object]") -> "dict[str, object]":
    """Do what the parent asked: its arguments for `request`, and the host's key where that is the proof."""
    path = str(asked["path"])
    if "key" in asked:
        serial, secret = bytes.fromhex(str(asked["serial"])), bytes.fromhex(str(asked["key"]))
        name, generation = str(asked["name"]), int(str(asked["generation"]))
        authorized = authorization(name, serial, generation, secret, str(asked["pin"]), path)
    else:
        authorized = "Bearer {}".format(asked.get("token", ""))
    host, port, pin = str(asked["host"]), int(str(asked["port"])), str(asked["pin"])
    try:
        status, body = request(
            host, port, pin, str(asked["method"]), path, authorized, str(asked.get("body", "")).encode()
        )
    except DoorError as problem:
        return {"status": 0, "body": str(problem)}
    return {"status": status, "body": body.decode("utf-8", "replace")}


def main() -> None:
    """Read one request, write one answer."""
    json.dump(exchange(json.loads(sys.stdin.read())), sys.stdout)
