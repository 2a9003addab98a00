"""The OpenAPI 3.1 document of the table: what can be asked, by what right, in which shapes, and what is refused."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import json

from monitor436 import __version__
from monitor436.web.arguments import typed
from monitor436.web.problem import PROBLEM, phrase
from monitor436.web.route import JSON, Answer, Call, Route
from monitor436.web.table import places

PATH = "/api/openapi.json"
REF = "#/components/schemas/{name}"
NAMES = {"epoch": r"^[0-9]{1,19}$"}  # places of paths whose text has a form
ANYTHING: dict[str, Any] = {}


class Problem(msgspec.Struct, frozen=True):
    """What is refused, RFC 9457. More members may tell where the mistake is."""

    title: str
    status: int
    detail: str = ""


def openapi(routes: Iterable[Route]) -> Route:
    """The route that gives the document of these routes and itself."""
    listed = list(routes)
    made: list[dict[str, Any]] = []

    async def answer(call: Call) -> Answer:
        if not made:
            made.append(document([*listed, own]))
        return Answer(json.encode({**made[0], "servers": [{"url": call.root}]}))

    own = Route("GET", PATH, "", answer, "This document")
    return own


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The document as a value."""
    listed = [route for route in routes if route.path.startswith("/api/") or route.path == "/metrics"]
    types = [kind for route in listed for kind in (route.body, route.gives) if kind not in (None, bytes)]
    schemas, components = msgspec.json.schema_components([*types, Problem], ref_template=REF)
    by_type = dict(zip(map(id, types), schemas, strict=False))
    paths: dict[str, Any] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "monitor436", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, by_type: dict[int, Any]) -> dict[str, Any]:
    refusals = _refusals(route)
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _name(route),
        "parameters": [*map(_place, places(route.path)), *_parameters(route)],
        "responses": {
            "default": _refused("Refused"),
            **{str(status): _refused(sentence) for status, sentence in sorted(refusals.items())},
            "2XX": {
                "description": "Done",
                "content": {route.content_type.partition(";")[0]: _shown(by_type.get(id(route.gives), ANYTHING))},
            },
        },
        "security": [{"token": []}] if route.scope else [],
    }
    if route.scope:
        operation["description"] = f"Needs the scope {route.scope}, unless http.without_token has it."
    if route.body is bytes:
        operation["requestBody"] = {"content": {"application/octet-stream": {}}, "required": True}
    elif route.body is not None:
        operation["requestBody"] = {"content": {JSON: _shown(by_type[id(route.body)])}, "required": True}
    return operation


def _refusals(route: Route) -> dict[int, str]:
    found = {400: phrase(400)}
    if route.scope:
        found |= {401: "No good token", 403: f"The token has not the scope {route.scope}", 429: phrase(429)}
    if route.body is not None:
        found |= {408: phrase(408), 413: f"A body of more than {route.most} bytes", 415: phrase(415)}
        found |= {422: "JSON of another shape; `pointer` tells where"} if route.body is not bytes else {}
    return found | dict(route.refuses)


def _parameters(route: Route) -> list[dict[str, Any]]:
    found = []
    for name, query in route.query.items():
        schema = msgspec.json.schema(typed(query))
        if query.default not in ("", None):
            schema["default"] = query.default
        found.append({"name": name, "in": "query", "description": query.why, "required": False, "schema": schema})
    return found


def _place(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, **({"pattern": NAMES[name]} if name in NAMES else {})}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _shown(schema: Any) -> dict[str, Any]:
    return {"schema": schema} if schema else {}


def _refused(sentence: str) -> dict[str, Any]:
    return {"description": sentence, "content": {PROBLEM: {"schema": {"$ref": REF.format(name="Problem")}}}}


def _name(route: Route) -> str:
    words = route.path.replace("{", "").replace("}", "").strip("/").replace(".", "/").split("/")
    return "_".join([route.method.lower(), *words])
