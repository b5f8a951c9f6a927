"""What every table of the configuration is, and every setting in it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

IDENTIFIER = r"^[A-Za-z][A-Za-z0-9_.-]*$"
"""What an agent or a source may be called."""


def setting(
    default: Any, why: str, *, unset: str = "", location: bool = False, **limits: Any
) -> Any:
    """A field with its default, the reason for it and its limits.

    ``unset`` says what happens where the default is None; ``location`` marks a place on this
    machine, which is no part of what a run is.
    """
    extra: Any = {"unset": unset, "location": location}
    return Field(default, description=why, json_schema_extra=extra, **limits)


class Section(BaseModel):
    """A table of the configuration: frozen, strict about types, no unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )
