"""What a command is: its name, its parameters with their bounds, who may, what it changes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mirrorcore.config.mistakes import near
from mirrorcore.interfaces.commands.calls import Role
from mirrorcore.swarm.control.actions import told

Kind = Literal["text", "integer", "number", "weights"]
_TYPES = {"text": "string", "integer": "integer", "number": "number", "weights": "object"}


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. ``weights`` is an object of numbers by name; ``low`` and ``high`` bound a
    number, ``longest`` a text."""

    name: str
    doc: str
    kind: Kind = "text"
    required: bool = False
    default: Any = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    longest: int = 200

    def schema(self) -> dict[str, Any]:
        """As JSON schema."""
        found: dict[str, Any] = {"type": _TYPES[self.kind], "description": self.doc}
        if self.kind == "text":
            found["maxLength"] = self.longest
        if self.kind == "weights":
            found["additionalProperties"] = {"type": "number", "minimum": 0}
        for key, value in (("minimum", self.low), ("maximum", self.high)):
            if value is not None:
                found[key] = value
        if self.choices:
            found["enum"] = list(self.choices)
        if self.default is not None:
            found["default"] = self.default
        return found

    def read(self, given: Any) -> Any:
        """``given`` as this parameter takes it, from text as well; ValueError says what it must
        be, OverflowError within which bounds."""
        match self.kind:
            case "integer" | "number":
                return self._number(given)
            case "weights":
                return self._weights(given)
        if not isinstance(given, str):
            raise ValueError("must be text")
        text = told(given.strip())
        if self.choices and text not in self.choices:
            meant = near(text[:40], self.choices, 0.6)
            raise ValueError(
                f"was {text[:40]!r}, must be one of {', '.join(self.choices)}"
                + (f"; did you mean {meant}?" if meant else "")
            )
        if len(text) > self.longest:
            raise ValueError(f"has {len(text)} characters, at most {self.longest} are taken")
        if self.required and not text:
            raise ValueError("must not be empty")
        return text

    def _number(self, given: Any) -> float | int:
        if isinstance(given, bool) or not isinstance(given, int | float | str):
            raise ValueError("must be a number")
        try:
            number = float(given)
        except (ValueError, OverflowError):
            raise ValueError(f"was {str(given)[:40]!r}, must be a number") from None
        if not math.isfinite(number):
            raise ValueError("must be finite")
        if self.kind == "integer" and number != int(number):
            raise ValueError(f"was {number:g}, must be a whole number")
        if self.low is not None and number < self.low:
            raise OverflowError(f"was {number:g}, must be at least {self.low:g}")
        if self.high is not None and number > self.high:
            raise OverflowError(f"was {number:g}, must be at most {self.high:g}")
        return int(number) if self.kind == "integer" else number

    def _weights(self, given: Any) -> dict[str, float]:
        if isinstance(given, str):
            try:
                given = json.loads(given)
            except (ValueError, RecursionError):
                raise ValueError('must be JSON like {"MomentumScout": 0.5}') from None
        if not isinstance(given, Mapping) or not given:
            raise ValueError("must be an object of numbers by agent, and not empty")
        number = Param(self.name, self.doc, "number", low=0.0, high=1.0)
        return {str(name): _share_of(str(name), number, value) for name, value in given.items()}


def _share_of(name: str, number: Param, value: Any) -> float:
    """One of several numbers; what is said of a wrong one says whose it is."""
    try:
        return float(number._number(value))
    except (ValueError, OverflowError) as error:
        raise type(error)(f"of {told(name)[:40]} {error}") from None


@dataclass(frozen=True, slots=True)
class Spec:
    """One command. ``confirms`` says when it has to be confirmed, empty for never."""

    name: str
    summary: str
    params: tuple[Param, ...] = ()
    role: Role = "viewer"
    changes: bool = False
    confirms: str = ""
    aliases: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The JSON form, for completion, help and OpenAPI."""
        return {
            "name": self.name,
            "summary": self.summary,
            "role": self.role,
            "changes": self.changes,
            "confirms": self.confirms,
            "aliases": list(self.aliases),
            "params": [
                {
                    "name": param.name,
                    "doc": param.doc,
                    "type": param.kind,
                    "required": param.required,
                    "default": param.default,
                    "low": param.low,
                    "high": param.high,
                    "choices": list(param.choices),
                }
                for param in self.params
            ],
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {param.name: param.schema() for param in self.params},
                "required": [param.name for param in self.params if param.required],
            },
        }

    @property
    def usage(self) -> str:
        """As one would write it: ``pause_agent TARGET``, optional ones in brackets."""
        words = [
            param.name.upper() if param.required else f"[{param.name.upper()}]"
            for param in self.params
        ]
        return " ".join([self.name, *words])
