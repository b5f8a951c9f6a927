"""The order plane: directive → size → limits → gateway → order → venue → fill → ledger → trades.

One path for replay, paper and live, in exact integers; hard limits and the stop live here, outside
every agent. No input or output and no clock of its own: instants are handed in, and what happened
waits in lists for the swarm to journal. May import: journal, syncbus, market, config, clock,
errors.
"""

from mirrorcore.trading.costs import CostModel
from mirrorcore.trading.directives import Directive, net_targets
from mirrorcore.trading.gateway import Gateway, GatewayState, StopAuthority
from mirrorcore.trading.hits import LimitHit
from mirrorcore.trading.ledger import Ledger
from mirrorcore.trading.limit_config import LimitConfig
from mirrorcore.trading.limits import Limits, freshness
from mirrorcore.trading.orders import Fill, IllegalStepError, Order, OrderStatus
from mirrorcore.trading.path import OrderPath
from mirrorcore.trading.shadow import ShadowBook, ShadowResult
from mirrorcore.trading.trades import Trade, trade_row
from mirrorcore.trading.units import Money, Units
from mirrorcore.trading.venue import MatchingEngine, SimulatedVenue

__all__ = [
    "CostModel",
    "Directive",
    "Fill",
    "Gateway",
    "GatewayState",
    "IllegalStepError",
    "Ledger",
    "LimitConfig",
    "LimitHit",
    "Limits",
    "MatchingEngine",
    "Money",
    "Order",
    "OrderPath",
    "OrderStatus",
    "ShadowBook",
    "ShadowResult",
    "SimulatedVenue",
    "StopAuthority",
    "Trade",
    "Units",
    "freshness",
    "net_targets",
    "trade_row",
]
