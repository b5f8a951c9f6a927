"""The commands there are, as the registry of the swarm describes them in JSON."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mirrorcore.errors import MirrorCoreError, RefusedError

_TYPES = {
    "str": "text",
    "string": "text",
    "text": "text",
    "selector": "text",
    "int": "integer",
    "integer": "integer",
    "float": "number",
    "number": "number",
    "bool": "boolean",
    "boolean": "boolean",
    "weights": "weights",
}
"""A parameter's type in the registry or in JSON schema -> how its words are read."""


class UnknownCommandError(MirrorCoreError):
    """There is no such command."""

    exit_code = 2


class NotGivenHereError(UnknownCommandError):
    """There is such a command, and whoever asks may not give it here."""

    exit_code = RefusedError.exit_code


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a command; ``kind`` is text, integer, number, boolean, weights or json."""

    name: str
    kind: str = "text"
    doc: str = ""
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def about(self) -> str:
        """Everything but the name in one line."""
        notes = [] if self.kind == "text" else [self.kind]
        if self.choices:
            notes = [" or ".join(self.choices)]
        if self.low is not None or self.high is not None:
            low = "" if self.low is None else f"{self.low:g}"
            high = "" if self.high is None else f"{self.high:g}"
            notes.append(f"{low} … {high}".strip())
        if self.required:
            notes.append("required")
        elif self.default is not None:
            notes.append(f"{self.default} if left out")
        return f"{self.doc} ({', '.join(notes)})" if notes else self.doc


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: what it does, who may call it, when it has to be confirmed, what it takes."""

    name: str
    summary: str = ""
    role: str = "viewer"
    changes: bool = False
    confirms: str = ""
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()

    def usage(self) -> str:
        """``adjust_risk NAME VALUE``, with what may be left out in brackets."""
        words = (
            one.name.upper() if one.required else f"[{one.name.upper()}]" for one in self.parameters
        )
        return " ".join((self.name, *words))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All commands of one role, in the registry's order; ``bare`` where a bus without a swarm is
    behind the door, which has fewer of them whoever asks."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    bare: bool = False

    @classmethod
    def of(cls, specs: Iterable[Mapping[str, Any]], *, bare: bool = False) -> Catalogue:
        """From the registry's JSON; what it says beyond what is known here is left alone."""
        found = [_entry(spec) for spec in specs]
        return cls({entry.name: entry for entry in found}, bare)

    def find(self, word: str) -> Entry:
        """The command of this name or alias; UnknownCommandError with the nearest names."""
        for entry in self.entries.values():
            if word == entry.name or word in entry.aliases:
                return entry
        from mirrorcore.interfaces.commands.catalogue import BY_ANY_NAME

        spec = BY_ANY_NAME.get(word)
        if spec is not None and self.bare:
            raise UnknownCommandError(
                f"{spec.name} needs a swarm, this is a bus alone", hint="'help' lists what there is"
            )
        if spec is not None:
            raise NotGivenHereError(
                f"{spec.name} needs the role {spec.role}", hint=f"use the token of {spec.role}"
            )
        near = difflib.get_close_matches(word, self.words(), n=3, cutoff=0.6)
        hint = f"did you mean {', '.join(near)}?" if near else "'help' lists what there is"
        raise UnknownCommandError(f"there is no command {word!r}", hint=hint)

    def words(self) -> list[str]:
        """Names, then aliases."""
        aliases = [alias for entry in self.entries.values() for alias in entry.aliases]
        return [*self.entries, *aliases]


def _entry(spec: Mapping[str, Any]) -> Entry:
    return Entry(
        name=str(spec["name"]),
        summary=str(spec.get("summary") or ""),
        role=str(spec.get("role") or "viewer"),
        changes=bool(spec.get("changes")),
        confirms=str(spec.get("confirms") or ""),
        parameters=tuple(_parameter(one) for one in spec.get("params") or ()),
        aliases=tuple(str(alias) for alias in spec.get("aliases") or ()),
    )


def _parameter(one: Mapping[str, Any]) -> Parameter:
    schema = one.get("schema") if isinstance(one.get("schema"), Mapping) else {}
    assert isinstance(schema, Mapping)
    choices: Sequence[Any] = one.get("choices") or schema.get("enum") or ()
    return Parameter(
        name=str(one["name"]),
        kind=_kind(one.get("type") or schema.get("type")),
        doc=str(one.get("doc") or ""),
        required=bool(one.get("required")),
        default=one.get("default"),
        choices=tuple(str(choice) for choice in choices),
        low=one.get("low"),
        high=one.get("high"),
    )


def _kind(type_name: object) -> str:
    return _TYPES.get(type_name, "json") if isinstance(type_name, str) else "text"


STOP = Entry(
    "emergency_stop",
    "Close the order gateway to every agent at once.",
    "operator",
    changes=True,
    parameters=(
        Parameter(
            "level",
            "text",
            "cancel withdraws working orders, flatten closes positions too",
            default="cancel",
            choices=("cancel", "flatten"),
        ),
    ),
)
"""Known without asking anybody: a stop must not need an answer first."""
