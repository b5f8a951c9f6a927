"""What a venue has in place of a symbol it does not list."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_SHOWN = 8


def instead_of(missing: Sequence[str], listed: Iterable[str]) -> str:
    """A hint: the nearest symbols, or some of those there are."""
    known = list(listed)
    near = [name for one in missing for name in difflib.get_close_matches(one, known, n=3)]
    if near:
        return f"did you mean {' or '.join(dict.fromkeys(near))}?"
    return f"it lists {', '.join(known[:_SHOWN])} …"
