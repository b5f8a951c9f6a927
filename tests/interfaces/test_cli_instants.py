"""Instants as people write them on a command line."""

from __future__ import annotations

import pytest

from mirrorcore.clock import DAY, SECOND
from mirrorcore.errors import UsageError
from mirrorcore.interfaces.cli.instants import instant

NOW = 1_800_000_000 * SECOND


@pytest.mark.parametrize("text", ["30d", "30d ago", " 30d ago "])
def test_how_long_ago(text: str) -> None:
    assert instant("--since", text, NOW) == NOW - 30 * DAY


@pytest.mark.parametrize("text", ["2024-01-31 ago", "now ago", "ago", "yesterday"])
def test_ago_is_said_of_durations_alone(text: str) -> None:
    with pytest.raises(UsageError, match="is no date"):
        instant("--since", text, NOW)
