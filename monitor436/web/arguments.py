"""What comes with a request, by type: parameters after the question mark, and a JSON body; mistakes are pointed at."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct, json

from monitor436.web.route import Query, Refusal

MOST_PARAMETERS = 32
_PLACE = re.compile(r"(?P<what>.*) - at `\$?(?P<path>.*)`", re.S)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
# curl says the second one by itself: what it sends with -d is JSON here nevertheless, as it always was.
_TAKEN = ("application/json", "application/x-www-form-urlencoded", "text/json")
_TRUTH = {"true": True, "1": True, "yes": True, "": True, "false": False, "0": False, "no": False}


def arguments(wanted: Mapping[str, Query], query: str) -> dict[str, Any]:
    """The parameters of a route, typed and within their bounds. Raises Refusal 400."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except UnicodeDecodeError:
        raise _wrong("", "the parameters are not UTF-8") from None
    except ValueError:
        raise _wrong("", f"at most {MOST_PARAMETERS} parameters") from None
    given: dict[str, Any] = {}
    for name, text in pairs:
        if name not in wanted:
            known = ", ".join(sorted(wanted)) or "none"
            raise _wrong(name, f"no such parameter; known here: {known}")
        if name in given:
            raise _wrong(name, "given twice")
        given[name] = _value(name, wanted[name], text)
    return {name: given.get(name, each.default) for name, each in wanted.items()}


def typed(query: Query) -> Any:
    """The type of a parameter with its bounds, as msgspec has them."""
    if query.least is None and query.most is None:
        return query.type
    if query.type is str:
        least, most = (None if bound is None else int(bound) for bound in (query.least, query.most))
        return Annotated[str, Meta(min_length=least, max_length=most)]
    return Annotated[query.type, Meta(ge=query.least, le=query.most)]


def body(wanted: Any, content: bytes, content_type: str) -> Any:
    """The body of a request by the type that its route asks for.

    Raises Refusal: 415 for what says it is something else than JSON, 400 for what is no JSON, 422 for JSON of another
    shape, with the `pointer` (RFC 6901) to where the mistake is.
    """
    if wanted is None or wanted is bytes:
        return content if wanted is bytes else None
    if not content and isinstance(wanted, type) and issubclass(wanted, Struct):
        try:
            return wanted()  # where all may be left out, so may the body
        except TypeError:
            raise Refusal(400, "Bad Request", "expected JSON, got an empty body") from None
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind not in _TAKEN and not kind.endswith("+json"):
        raise Refusal(415, "Unsupported Media Type", f"expected application/json, got {kind[:100]!r}")
    try:
        return json.decode(content, type=wanted)
    except msgspec.ValidationError as wrong:
        sentence, pointer = pointed(str(wrong))
        raise Refusal(422, "Unprocessable Content", sentence, pointer=pointer) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        why = "nested too deeply" if isinstance(wrong, RecursionError) else str(wrong)
        raise Refusal(400, "Bad Request", f"expected JSON: {why}") from None


def pointed(sentence: str) -> tuple[str, str]:
    """msgspec's sentence without its place, and the place as a JSON pointer; "" is the whole body."""
    found = _PLACE.fullmatch(sentence)
    if not found:
        return sentence, ""
    steps = [key or index for key, index in _STEP.findall(found["path"])]
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1").replace("...", "*") for step in steps)
    return found["what"], pointer


def _value(name: str, query: Query, text: str) -> Any:
    try:
        value: Any = _TRUTH[text.lower()] if query.type is bool else text
        value = msgspec.convert(value, typed(query), strict=query.type is bool)
    except KeyError:
        raise _wrong(name, "expected true or false") from None
    except msgspec.ValidationError as wrong:
        raise _wrong(name, str(wrong)) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(name, "expected a number")
    if isinstance(value, str) and "\0" in value:
        raise _wrong(name, "has a NUL in it")
    return value


def _wrong(name: str, sentence: str) -> Refusal:
    return Refusal(400, "Bad Request", f"?{name}: {sentence}", query=name) if name else Refusal(400, "", sentence)
