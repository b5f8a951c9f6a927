"""Documentation of ``[[sources]]``: what each kind may be told under ``params``."""

from __future__ import annotations

from collections.abc import Iterator

from mirrorcore.config.mistakes import toml_value
from mirrorcore.config.model import Section
from mirrorcore.config.render import SettingNote
from mirrorcore.config.shape import extra, fields_of, subsection
from mirrorcore.config.source_params import PARAMS


def parameter_notes(kind: str) -> tuple[SettingNote, ...]:
    """Every parameter of a kind, what stands within a table as ``pools.address``."""
    return tuple(_notes(PARAMS[kind], ""))


def _notes(section: type[Section], above: str) -> Iterator[SettingNote]:
    for name, info in fields_of(section).items():
        default = ""
        if not info.is_required():
            # The section itself writes its default, so that 300000000000 reads "5m".
            written = section.model_construct(**{name: info.default}).model_dump()[name]
            default = str(extra(info, "unset")) if written is None else toml_value(written)
        yield SettingNote(above + name, default, info.is_required(), info.description or "")
        below, _ = subsection(info)
        if below is not None:
            yield from _notes(below, f"{above}{name}.")
