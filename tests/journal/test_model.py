"""Any sequence of uses against the simplest model of a journal: a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.journal import Journal, JournalFullError, JournalReader, JournalState

ROOM = 64 << 10
TOO_LARGE = "x" * (ROOM + 1)

steps = st.lists(
    st.sampled_from(["append", "append", "append", "commit", "flush", "refused", "resume"]),
    max_size=30,
)


def refused(use: Callable[[], Any]) -> bool:
    try:
        use()
    except JournalFullError:
        return True
    return False


@settings(max_examples=40, deadline=None)
@given(steps=steps, flush_every=st.sampled_from([1, 2, 5, 1000]))
def test_a_journal_is_a_list_that_survives(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], flush_every: int
) -> None:
    path = tmp_path_factory.mktemp("model") / "j.sqlite"
    journal = Journal.create(path, flush_every=flush_every, max_bytes=ROOM)
    model: list[int] = []
    for number, step in enumerate(steps):
        if step == "append":
            model.append(number)
            assert journal.append("decision", number, number) == len(model)
        elif step == "commit":
            model.append(number)
            assert journal.commit_before("order", number, number) == len(model)
            assert journal.waiting == 0
        elif step == "refused":
            # Too large for the room there is: withdrawn, and what waited before it still waits.
            use = journal.commit_before
            assert refused(lambda use=use, number=number: use("order", number, TOO_LARGE))
            assert journal.state is JournalState.FAILING
        elif step == "flush":
            journal.flush()
            assert journal.waiting == 0
        else:
            journal.close()
            journal = Journal.resume(path, flush_every=flush_every, max_bytes=ROOM)
        assert journal.stored + journal.waiting == len(model)
    journal.close()
    with JournalReader(path) as reader:
        assert [entry.body for entry in reader.entries()] == model
        assert reader.verify(journal.head).holds
