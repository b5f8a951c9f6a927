"""A configuration on paper: as TOML, as documentation, as a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mirrorcore.config.mistakes import dotted, toml_value
from mirrorcore.config.model import RunConfig, Section
from mirrorcore.config.scan import Path
from mirrorcore.config.shape import extra, fields_of, setting_at, settings, subsection


@dataclass(frozen=True, slots=True)
class SettingNote:
    """Documentation of one setting; ``default`` is TOML, or what happens where it is left out."""

    key: str
    default: str
    required: bool
    reason: str


def describe() -> tuple[SettingNote, ...]:
    """Every setting with its default and the reason for it, in the order of the file."""
    notes = []
    for path, info in settings():
        key = ".".join(f"{part}" for part in path if isinstance(part, str))
        required = info.is_required()
        if required:
            default = ""
        elif info.default is None:
            default = str(extra(info, "unset"))
        else:
            default = _default_text(path, info.default)
        notes.append(SettingNote(key, default, required, info.description or ""))
    return tuple(notes)


def _default_text(path: Path, default: Any) -> str:
    found = setting_at(path)
    if found is None:
        return ""
    section, wanted = found
    # The section itself writes its default, so that 300000000000 reads "5m".
    name = next(name for name, info in section.model_fields.items() if info is wanted)
    return toml_value(section.model_construct(**{name: default}).model_dump()[str(path[-1])])


def leaves(config: RunConfig) -> Iterator[tuple[Path, Any]]:
    """Every setting with its value in the form of a file; None where it is left out."""
    yield from _leaves(config, config.model_dump(), ())


def _leaves(section: Section, dump: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    for name, info in type(section).model_fields.items():
        key = info.alias or name
        below, listed = subsection(info)
        value = getattr(section, name)
        if below is None:
            yield (*path, key), dump[key]
        elif not listed:
            yield from _leaves(value, dump[key], (*path, key))
        else:
            for index, element in enumerate(value):
                yield from _leaves(element, dump[key][index], (*path, key, index))


def to_toml(config: RunConfig, *, explain: bool = False) -> str:
    """The effective configuration as a file that loads to the same one.

    With ``explain`` each setting is preceded by its reason, as in a file to start from.
    """
    lines: list[str] = []
    _write_section(config, config.model_dump(), "", lines, explain)
    return "\n".join(lines).strip() + "\n"


def _write_section(
    section: Section, dump: Mapping[str, Any], header: str, lines: list[str], explain: bool
) -> None:
    below: list[str] = []
    for key, info in fields_of(type(section)).items():
        if subsection(info)[0] is not None:
            below.append(key)
            continue
        if explain:
            lines.append(f"# {info.description}")
        value = dump[key]
        unset = f"# {key} is left out: {extra(info, 'unset')}"
        lines.append(unset if value is None else f"{key} = {toml_value(value)}")
    for key in below:
        inner = f"{header}.{key}" if header else key
        value = getattr(section, key)
        elements = [(f"[{inner}]", value, dump[key])]
        if isinstance(value, tuple):
            pairs = zip(value, dump[key], strict=True)
            elements = [(f"[[{inner}]]", one, written) for one, written in pairs]
        for title, one, written in elements:
            lines += ["", title]
            _write_section(one, written, inner, lines, explain)


def config_hash(config: RunConfig) -> str:
    """32 hex digits that name what was asked for, whatever the machine it was asked on.

    Places (folders, files) are left out: the data and the code found there have digests of their
    own. So is who may look on, ``[web]`` and ``[emergence]``. The order of keys and the spelling of
    values (``"60s"``, ``"1m"``) make no difference.
    """
    return _hash(leaves(config))


_NO_CHOICE = ("schema_version", "seed", "market", "journal")


def choice_hash(config: RunConfig) -> str:
    """As :func:`config_hash`, of what somebody may have chosen to trade better on a given market.

    Without the seed, the market itself (the digest of the data names it) and how much the journal
    keeps; ``market.sparse`` counts, since it says how the same candles are read.
    """
    return _hash(
        (path, value)
        for path, value in leaves(config)
        if path[0] not in _NO_CHOICE or path == ("market", "sparse")
    )


def _hash(settings: Iterable[tuple[Path, Any]]) -> str:
    pairs = [(dotted(path), value) for path, value in settings if not _is_place(path)]
    text = json.dumps(pairs, sort_keys=True, ensure_ascii=True, default=toml_value)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _is_place(path: Path) -> bool:
    if path[0] in ("web", "emergence"):
        return True
    found = setting_at(path)
    return found is not None and bool(extra(found[1], "location"))
