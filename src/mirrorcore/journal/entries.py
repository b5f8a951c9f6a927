"""What a journal is made of: kinds of entries, each chained to the one before by a hash."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, get_args

from mirrorcore.errors import DataError, MirrorCoreError
from mirrorcore.journal.coding import decode

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4D435831
"""Marks an SQLite file as a journal of ours."""

Kind = Literal[
    "run",  # identity of the run: configuration, seeds, versions, digests of the inputs
    "begin",  # paper and live: the instant the run begins at, before its first tick
    "input",  # paper and live: the records of one tick, in full
    "decision",  # a target that changed or was vetoed; paper and live: every decision
    "block",  # hash of all decisions of a block of ticks
    "checkpoint",  # state from which a stretch can be run again
    "order",  # an order's intent or change of status
    "fill",
    "limit",  # a limit that clipped or vetoed, and its cause
    "agent",  # an agent's life: registered, failed, isolated, restarted, ended
    "admission",  # paper and live: votes admitted to a decision, time-outs
    "halts",  # live: which symbols take no new risk from a tick on, and why
    "stall",  # a call of an agent that held the loop, and how far it had come when it was ended
    "command",  # a command and its outcome
    "finding",  # what the emergence monitor reports
    "audit",  # who did what, and why
    "end",  # how the run ended
]
KINDS: tuple[Kind, ...] = get_args(Kind)

HASH_SIZE = 16
GENESIS = blake2b(f"mirrorcore journal {SCHEMA_VERSION}".encode(), digest_size=HASH_SIZE).digest()
"""What the first entry is chained to."""

pack_position = struct.Struct(">Qq").pack
KIND_BYTES: dict[str, bytes] = {kind: kind.encode() + b"\0" for kind in KINDS}


def link(previous: bytes, seq: int, ts: int, kind: str, body: bytes) -> bytes:
    """The hash of an entry: blake2b over the hash before it and all it says."""
    name = KIND_BYTES.get(kind) or kind.encode() + b"\0"
    return blake2b(previous + pack_position(seq, ts) + name + body, digest_size=HASH_SIZE).digest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal; ``ts`` is market time in nanoseconds UTC."""

    seq: int
    ts: int
    kind: str
    data: bytes
    hash: bytes

    @property
    def body(self) -> Any:
        """What was written, with structures as dictionaries and tuples as lists."""
        return decode(self.data)


class JournalError(DataError):
    """A journal is missing, is none, or is damaged."""


class JournalFullError(MirrorCoreError):
    """The journal cannot be written now: the disk is full, read-only or failing.

    Nothing that was accepted is lost; the next writing tries again. Until it succeeds no new risk
    may be taken, because a restart would not know of it.
    """
