"""What the addresses take and answer, in the words of OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mirrorcore.interfaces.api.command_routes import ORIGINS, body_schema
from mirrorcore.interfaces.api.guide_status import FIELDS, MOST
from mirrorcore.interfaces.api.problems import MEDIA_TYPE
from mirrorcore.interfaces.api.views import View
from mirrorcore.interfaces.commands.specs import Param, Spec

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_OUTCOME = {"$ref": "#/components/schemas/Outcome"}
_OBJECT: dict[str, Any] = {"type": "object"}

COMPONENTS: dict[str, Any] = {
    "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    "schemas": {
        "Problem": {
            "type": "object",
            "description": "RFC 9457, with a code that stays and what to do about it.",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": {"type": "string", "pattern": "^urn:mirrorcore:error:[a-z_]+$"},
                "title": {"type": "string"},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string"},
                "code": {"type": "string", "pattern": "^[a-z_]+$"},
                "hint": {"type": "string"},
                "fields": _OBJECT,
                "confirm": {"type": "string", "description": "to be sent back within 30 s"},
                "targets": {"type": "array"},
                "retry_after": {"type": "number", "description": "seconds"},
                "outcome": _OUTCOME,
            },
        },
        "Outcome": {
            "type": "object",
            "description": "What became of a command; the same through every door.",
            "required": ["id", "name", "status", "acked", "missing", "result", "error"],
            "properties": {
                "id": {"type": "string"},
                "name": {"type": "string"},
                "status": {"enum": ["done", "partial", "rejected", "failed", "dry_run"]},
                "target_count": {"type": ["integer", "null"]},
                "acked": {"type": "array"},
                "missing": {"type": ["array", "object"]},
                "result": {},
                "tick": {"type": ["integer", "null"]},
                "audit_seq": {"type": ["integer", "null"]},
                "error": {"type": ["object", "null"]},
            },
        },
    },
}


def _answers(schema: Mapping[str, Any], media: str = "application/json") -> dict[str, Any]:
    """The answer of a request that went well, and every other."""
    return {
        "200": {"description": "Done.", "content": {media: {"schema": dict(schema)}}},
        "default": {
            "description": "What was wrong.",
            "content": {MEDIA_TYPE: {"schema": _PROBLEM}},
        },
    }


def _secured(responses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"security": [{"token": []}], "responses": responses, **more}


def _parameter(name: str, where: str, schema: Mapping[str, Any], text: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "in": where, "schema": dict(schema)}
    if text:
        found["description"] = text
    if where == "path":
        found["required"] = True
    return found


def command(specs: Mapping[str, Spec]) -> dict[str, Any]:
    """``POST /api/v1/commands``."""
    return _secured(
        _answers(_OUTCOME),
        requestBody={
            "required": True,
            "content": {"application/json": {"schema": body_schema(specs)}},
        },
        parameters=[
            _parameter(
                "Idempotency-Key",
                "header",
                {"type": "string", "maxLength": 200, "pattern": "^[ -~]*$"},
                "New for each new command; needed where something is changed, but for a stop.",
            ),
            _parameter("X-MirrorCore-Door", "header", {"enum": list(ORIGINS)}),
        ],
    )


def catalogue() -> dict[str, Any]:
    """``GET /api/v1/commands``."""
    schema = {
        "type": "object",
        "required": ["role", "commands"],
        "properties": {
            "role": {"type": "string"},
            "commands": {"type": "array"},
            "others": {
                "description": "the role each other command needs, by every name it has",
                "type": "object",
                "additionalProperties": {"type": "string"},
            },
        },
    }
    return _secured(_answers(schema))


def outcome() -> dict[str, Any]:
    """``GET /api/v1/commands/{id}``."""
    return _secured(_answers(_OUTCOME), parameters=[_parameter("id", "path", {"type": "string"})])


def view(one: View, params: Sequence[Param]) -> dict[str, Any]:
    """A view."""
    schema = {
        "type": "object",
        "required": ["tick", "result"],
        "properties": {"tick": {"type": ["integer", "null"]}, "result": {}},
    }
    parameters = [
        _parameter(param.name, "query", param.schema(), param.doc)
        for param in params
        if param.name != one.within
    ]
    if one.within:
        parameters.append(_parameter(one.within, "path", {"type": "string", "minLength": 1}))
    return _secured(_answers(schema), parameters=parameters)


def status() -> dict[str, Any]:
    """``GET /agents/status``."""
    text = {"type": "string"}
    responses = _answers({"type": "object", "additionalProperties": _OBJECT})
    responses["304"] = {"description": "Nothing has changed since If-None-Match."}
    return _secured(
        responses,
        parameters=[
            _parameter("fields", "query", text, "of " + ", ".join(FIELDS)),
            _parameter("kind", "query", text),
            _parameter("status", "query", text),
            _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST}),
            _parameter("cursor", "query", text, "X-Next-Cursor of the page before"),
        ],
    )


def plain(*statuses: str, secured: bool = False, media: str = "application/json") -> dict[str, Any]:
    """An address without parameters."""
    responses = _answers(_OBJECT if media == "application/json" else {"type": "string"}, media)
    for status_code in statuses:
        responses[status_code] = {**responses["200"], "description": "Not now."}
    return _secured(responses) if secured else {"responses": responses}
