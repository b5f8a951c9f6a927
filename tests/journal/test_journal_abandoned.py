"""A journal whose disk refuses it can be let go of."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrorcore.journal import Journal, JournalError, JournalFullError, JournalReader


def test_what_was_written_stays_and_nothing_more_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    journal = Journal.create(file, flush_every=10, max_bytes=60_000)

    def write_on() -> None:
        for number in range(10_000):
            journal.append("decision", number, ["x" * 100, number])

    with pytest.raises(JournalFullError):
        write_on()
    stored = journal.stored
    assert 0 < stored < 10_000
    assert journal.waiting > 0
    with pytest.raises(JournalFullError):
        journal.close()
    journal.abandon()
    journal.abandon()
    with pytest.raises(JournalError, match="closed"):
        journal.flush()
    with JournalReader(file) as reader:
        assert reader.verify().holds
        assert len(list(reader.entries("decision"))) == stored
