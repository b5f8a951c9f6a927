"""Says in our words what a value by itself should have been."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from mirrorcore.config.mistakes import near, shown
from mirrorcore.config.quantities import WrongValue
from mirrorcore.config.scan import Path
from mirrorcore.config.shape import setting_at

Verdict = tuple[str, str]
"""What is wrong with a value, and what may be meant instead."""

_SIMPLE_VERDICTS = {
    "missing": "is missing",
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "path_type": "must be a path in quotes",
    "string_too_short": "is empty",
    "int_parsing_size": "is too large",
}
_BOUNDS = {
    "greater_than": ("gt", "must be above {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be below {}"),
    "less_than_equal": ("le", "must be at most {}"),
}


def verdict_on(error: ErrorDetails, path: Path) -> Verdict:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "value_error" and isinstance(context.get("error"), WrongValue):
        wrong: WrongValue = context["error"]
        return wrong.problem, wrong.suggestion
    if kind in _BOUNDS:
        key, wording = _BOUNDS[kind]
        return wording.format(f"{context[key]:g}"), _as_fraction(kind, value, context)
    if kind == "literal_error":
        return _not_among(value, path)
    if kind == "string_pattern_mismatch":
        return _misnamed(path)
    if kind in _SIMPLE_VERDICTS:
        return _SIMPLE_VERDICTS[kind], _retyped(kind, value)
    return error["msg"], ""


def _as_fraction(kind: str, value: Any, context: Mapping[str, Any]) -> str:
    """``20`` where at most 1 may stand is a percentage."""
    if kind != "less_than_equal" or context["le"] != 1 or not 1 < float(value) <= 100:
        return ""
    return f"{float(value) / 100:g} ({float(value):g} %)"


def _not_among(value: Any, path: Path) -> Verdict:
    found = setting_at(path)
    if found is None:
        return "is not allowed", ""
    allowed = typing.get_args(found[1].annotation)
    meant = near(value, allowed) if isinstance(value, str) else None
    words = ", ".join(shown(item) for item in allowed)
    if path == ("schema_version",):
        return f"is a layout this version does not know; it reads {words}", ""
    return f"must be one of {words}", shown(meant) if meant else ""


def _misnamed(path: Path) -> Verdict:
    if path[-1] == "name":
        return (
            "must be category.name, the category one of technical, fundamental, sentiment, risk, "
            "onchain, macro",
            "",
        )
    if path[-1] == "url":
        return "must be an address that begins with http:// or https://, without a password", ""
    return "must begin with a letter and hold only letters, digits, '.', '_' and '-'", ""


def _retyped(kind: str, value: Any) -> str:
    """The same value in the type that is needed, where the text leaves no doubt."""
    if kind == "string_type" and isinstance(value, int | float):
        return f'"{shown(value)}"'
    if not isinstance(value, str):
        return ""
    text = value.strip()
    if kind == "int_type" and re.fullmatch(r"-?\d+", text):
        return text
    if kind == "float_type":
        percent = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text)
        if percent:
            return f"{float(percent[1]) / 100:g}"
        return text if re.fullmatch(r"-?\d+(\.\d+)?", text) else ""
    if kind == "bool_type" and text.lower() in {"true", "yes", "on", "false", "no", "off"}:
        return "true" if text.lower() in {"true", "yes", "on"} else "false"
    return ""
