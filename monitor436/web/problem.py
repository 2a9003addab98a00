"""What is refused, as the client sees it: problem details of RFC 9457, for every status alike."""

from http import HTTPStatus
from typing import Any

from msgspec import json

from monitor436.web.route import Answer, Refusal

PROBLEM = "application/problem+json"
REALM = {"WWW-Authenticate": 'Bearer realm="monitor436"'}


def problem(refusal: Refusal) -> Answer:
    """The answer that tells of a refusal."""
    told: dict[str, Any] = {"title": refusal.title or phrase(refusal.status), "status": refusal.status}
    if refusal.detail:
        told["detail"] = refusal.detail
    told.update(refusal.more)
    return Answer(json.encode(told) + b"\n", PROBLEM, refusal.status, refusal.headers)


def phrase(status: int) -> str:
    """The reason phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


def unauthorised(detail: str) -> Refusal:
    """401: nothing shown that is good."""
    return Refusal(401, "Unauthorized", detail, REALM)


def too_large(most: int) -> Refusal:
    """413: a body of more than `most` bytes."""
    return Refusal(413, "Content Too Large", f"a body here has at most {most} bytes", most=most)
