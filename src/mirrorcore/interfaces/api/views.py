"""The addresses that only read: which command answers each, and how queries are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mirrorcore.interfaces.api.problems import Problem
from mirrorcore.interfaces.commands.specs import Param


@dataclass(frozen=True, slots=True)
class View:
    """``path`` below ``/api/v1``; ``within`` is the argument that stands in it, if one does."""

    path: str
    command: str
    within: str = ""

    @property
    def route(self) -> str:
        return f"/api/v1/{self.path}" + (f"/{{{self.within}:path}}" if self.within else "")


VIEWS = (
    View("status", "status"),
    View("agents", "agents"),
    View("agents", "inspect", "agent"),
    View("health", "health"),
    View("performance", "get_performance"),
    View("positions", "positions"),
    View("orders", "orders"),
    View("trades", "trades"),
    View("sources", "sources"),
    View("flow", "flow"),
    View("risk", "risk"),
    View("audit", "audit"),
    View("decisions", "decisions"),
    View("alerts", "alerts"),
    View("findings", "findings"),
    View("why", "why", "id"),
)


def arguments(
    view: View, params: Sequence[Param], query: Sequence[tuple[str, str]], within: str
) -> dict[str, Any]:
    """The arguments of a view's command; Problem bad_args for what it does not take."""
    known = {param.name: param for param in params if param.name != view.within}
    found: dict[str, Any] = {}
    for name, text in query:
        if name not in known or name in found:
            why = "given twice" if name in found else "not known here"
            raise Problem(
                400,
                "bad_args",
                "the query has a parameter that is " + why,
                hint="known: " + (", ".join(known) or "none"),
            )
        found[name] = _value(text, known[name])
    return {**found, **({view.within: within} if view.within else {})}


def _value(text: str, param: Param) -> Any:
    kind = type_of(param)
    try:
        if kind == "integer":
            return int(text[:20])
        if kind == "number":
            return float(text[:40])
    except ValueError:
        raise Problem(
            400,
            "bad_args",
            f"{param.name} must be a number",
            more={"fields": {param.name: "a number"}},
        ) from None
    if kind == "boolean":
        return text.lower() in {"1", "true", "yes"}
    return text


def type_of(param: Param) -> str:
    """The JSON type of a parameter."""
    return str(param.schema()["type"])
