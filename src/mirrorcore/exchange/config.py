"""How a local exchange is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mirrorcore.clock import MILLISECOND, MINUTE
from mirrorcore.errors import UsageError
from mirrorcore.exchange.faults import Fault
from mirrorcore.exchange.listings import Listing, listing_of

STEP = 100 * MILLISECOND
"""The simulated participants act, and depth is published, this often."""


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who may trade: an account with its key. The key protects play money on one's own
    machine, so the default one is written down; who opens the port to others gives another."""

    key: str = "mirrorcore-local-key"
    secret: str = "mirrorcore-local-secret"
    balances: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(100_000)})


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """Everything that decides what an exchange does.

    Parameters
    ----------
    symbols: what is listed, as ``BTC/USDT`` or with its own steps as a :class:`Listing`.
    seed: of the simulated participants.
    speed: how much faster the simulated market lives than its clock: ten times the orders, and the
        price path of ten seconds, in one. Timestamps stay those of the clock.
    history: ns of market simulated before the start, in coarser steps, so that there are candles.
    clients: who may trade.
    fee_ppm: fee of makers and takers alike, in parts per million of what a trade brings in.
    weight_limit: request weight a minute that one address may use before it is answered 429.
    kept: prints and aggregates kept of each symbol, and closed orders of each client.
    queue_bytes: what may wait for one slow reader before its socket is dropped.
    faults: the schedule of what goes wrong.
    """

    symbols: tuple[str | Listing, ...] = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    seed: int = 1
    speed: float = 1.0
    history: int = 10 * MINUTE
    clients: tuple[Client, ...] = (Client(),)
    fee_ppm: int = 1_000
    weight_limit: int = 6_000
    kept: int = 20_000
    queue_bytes: int = 4 * 2**20
    host: str = "127.0.0.1"
    port: int = 0
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if not self.symbols:
            raise UsageError("the exchange lists no symbol", hint="name at least one, as BTC/USDT")
        for name, least in (
            ("seed", 0), ("history", 0), ("fee_ppm", 0), ("weight_limit", 1), ("kept", 1),
            ("queue_bytes", 1), ("port", 0),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise UsageError(f"{name} was {getattr(self, name)}, must be {least} or more")
        if self.port > 65_535:
            raise UsageError(f"port was {self.port}, must be at most 65535")
        if not 0 < self.speed <= 10_000:
            raise UsageError(f"speed was {self.speed}, must be above 0 and at most 10000")
        keys = [client.key for client in self.clients]
        if len(dict.fromkeys(keys)) < len(keys):
            raise UsageError("two clients have the same key", hint="give each its own")
        names = [listing.id for listing in self.listings]
        if len(dict.fromkeys(names)) < len(names):
            raise UsageError(f"a symbol is listed twice: {', '.join(names)}")

    @property
    def listings(self) -> tuple[Listing, ...]:
        return tuple(s if isinstance(s, Listing) else listing_of(s) for s in self.symbols)
