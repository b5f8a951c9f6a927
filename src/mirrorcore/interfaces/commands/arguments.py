"""Reads a call against its specification: which command, which values."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from mirrorcore.interfaces.commands.catalogue import BY_ANY_NAME
from mirrorcore.interfaces.commands.failures import CommandError
from mirrorcore.interfaces.commands.specs import Spec


def spec_of(name: str) -> Spec:
    """The command of that name or alias; CommandError unknown_command names the nearest."""
    spec = BY_ANY_NAME.get(name)
    if spec is None:
        meant = get_close_matches(name, BY_ANY_NAME, 3)
        hint = f"did you mean {' or '.join(meant)}?" if meant else "'help' lists all commands"
        raise CommandError("unknown_command", f"there is no command {name[:64]!r}", hint=hint)
    return spec


def read(spec: Spec, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter with its value; CommandError says of each wrong one what it must be."""
    known = {param.name: param for param in spec.params}
    wrong: dict[str, str] = {}
    bounds = False
    for name in given:
        if name not in known:
            meant = get_close_matches(str(name), known, 1)
            wrong[str(name)[:64]] = "not a parameter" + (f", {meant[0]} is" if meant else "")
    values: dict[str, Any] = {}
    for name, param in known.items():
        value = given.get(name)
        if value is None:
            if param.required:
                wrong[name] = "is missing"
            values[name] = param.default
            continue
        try:
            values[name] = param.read(value)
        except OverflowError as error:
            wrong[name], bounds = str(error), True
        except ValueError as error:
            wrong[name] = str(error)
    if wrong:
        told = "; ".join(f"{name} {why}" for name, why in wrong.items())
        only_bounds = bounds and len(wrong) == 1
        raise CommandError(
            "out_of_bounds" if only_bounds else "bad_args",
            f"{spec.name}: {told}",
            hint=f"usage: {spec.usage}",
            fields=wrong,
        )
    return values
