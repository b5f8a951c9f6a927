"""Random numbers by address: (seed, quantity, owner, block), never by order of drawing.

A Philox generator is a function of key and counter (Salmon et al. 2011), so every quantity of
every symbol has a stream of its own and each block of it can be drawn alone. One channel or symbol
more therefore changes no number of any other.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import numpy as np

from mirrorcore.market.block import Floats

BLOCK = 4096
"""Bars to a block of the generator; everything random is drawn by aligned blocks of this size."""

MARKET = "*"
"""The owner of whatever belongs to no single symbol."""


class Stream(StrEnum):
    """The quantities that are drawn; the text is part of the key, so it never changes."""

    START = "start"
    INNOVATION = "innovation"
    MIXING = "mixing"
    VOLATILITY = "volatility"
    ALPHA = "alpha"
    JUMP_TIME = "jump-time"
    JUMP_SIZE = "jump-size"
    REGIME = "regime"
    RELEASE = "release"
    RANGE = "range"
    VOLUME = "volume"
    WHALE = "whale"
    GAS = "gas"
    SENTIMENT = "sentiment"
    DECOY_FLOW = "decoy-flow"
    DECOY_SENTIMENT = "decoy-sentiment"


class Streams:
    """All random streams of one seed.

    Parameters
    ----------
    seed: 0 <= seed < 2**64.
    """

    __slots__ = ("_keys", "seed")

    def __init__(self, seed: int) -> None:
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed was {seed}, must be 0 or more and fit 64 bits")
        self.seed = seed
        self._keys: dict[tuple[Stream, str], int] = {}

    def generator(self, stream: Stream, owner: str, block: int) -> np.random.Generator:
        """A generator at the start of one block of one stream."""
        key = self._keys.get((stream, owner))
        if key is None:
            digest = hashlib.sha256(f"{stream}|{owner}".encode()).digest()
            key = self._keys[stream, owner] = int.from_bytes(digest[:8], "little")
        return np.random.Generator(
            np.random.Philox(
                key=np.array([self.seed, key], dtype=np.uint64),
                # The lowest word counts draws, so a block can never run into the next.
                counter=np.array([0, block, 0, 0], dtype=np.uint64),
            )
        )

    def normals(self, stream: Stream, owners: tuple[str, ...], block: int) -> Floats:
        """Standard normals, (owners, BLOCK)."""
        out = np.empty((len(owners), BLOCK))
        for row, owner in zip(out, owners, strict=True):
            self.generator(stream, owner, block).standard_normal(out=row)
        return out

    def uniforms(self, stream: Stream, owners: tuple[str, ...], block: int, count: int) -> Floats:
        """Uniforms in (0, 1], (count, owners, BLOCK); never 0, so that their log is finite."""
        out = np.empty((count, len(owners), BLOCK))
        for row, owner in enumerate(owners):
            generator = self.generator(stream, owner, block)
            for k in range(count):
                generator.random(out=out[k, row])
        np.subtract(1.0, out, out=out)
        return out

    def start(self, owners: tuple[str, ...], quantity: Stream, count: int) -> Floats:
        """Standard normals for the state before the first bar, (owners, count)."""
        return np.stack(
            [
                self.generator(Stream.START, f"{owner}|{quantity}", 0).standard_normal(count)
                for owner in owners
            ]
        )
