"""What happened: a durable, hash-chained journal a run, and the register of runs.

Replay, recovery, audit and the reports read it. May import the clock, the configuration and the
errors; what an entry says is defined by the rooms that write it.
"""

from mirrorcore.journal.coding import decode, decode_as, encode
from mirrorcore.journal.entries import KINDS, Entry, JournalError, JournalFullError, Kind
from mirrorcore.journal.files import make_folder, write_atomic
from mirrorcore.journal.reader import JournalReader, Verdict
from mirrorcore.journal.runs import RunDirectory, RunInfo, RunRegistry, RunStatus
from mirrorcore.journal.writer import Journal, JournalState

__all__ = [
    "KINDS",
    "Entry",
    "Journal",
    "JournalError",
    "JournalFullError",
    "JournalReader",
    "JournalState",
    "Kind",
    "RunDirectory",
    "RunInfo",
    "RunRegistry",
    "RunStatus",
    "Verdict",
    "decode",
    "decode_as",
    "encode",
    "make_folder",
    "write_atomic",
]
