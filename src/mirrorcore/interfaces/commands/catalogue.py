"""Every command there is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mirrorcore.interfaces.commands.specs import Param, Spec

LIMIT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "gross": "gross",
        "net": "net",
        "per_symbol": "per_symbol",
        "daily_loss": "daily_loss",
        "drawdown": "drawdown",
        "order_rate": "order_rate",
        "price_collar": "price_collar",
        "max_leverage": "gross",
        "max_position": "per_symbol",
        "max_drawdown": "drawdown",
        "max_daily_loss": "daily_loss",
        "orders_per_minute": "order_rate",
    }
)
"""Limits by every name they may be called; the later ones are habits from elsewhere."""

STOP = "emergency_stop"
"""The one command that is neither limited nor confirmed nor made to wait."""
_TARGET = "an agent's id, kind:NAME, status:NAME, * for all, or several with commas"
_AGENT = Param("target", _TARGET, required=True, longest=2000)
_LOTS = "how many of the newest"


def _limit(default: int, most: int) -> Param:
    return Param("limit", _LOTS, "integer", default=default, low=1, high=most)


_VIEWER = (
    Spec("status", "How the swarm is, in a few figures.",
         (Param("target", _TARGET + "; with it, these agents", longest=2000),)),
    Spec("agents", "A row for each agent.", (Param("target", _TARGET, longest=2000),)),
    Spec("inspect", "Everything about one agent: state, past, messages, life.",
         (Param("agent", "an agent's id", required=True),
          Param("history", "how many of its last versions", "integer", default=50, low=1,
                high=500))),
    Spec("health", "What is not as it should be: agents, sources, journal, bus."),
    Spec("get_performance", "What was earned, by the whole swarm, by agent or by kind.",
         (Param("target", _TARGET + "; for by=agent and by=kind", longest=2000),
          Param("by", "whose", default="swarm", choices=("swarm", "agent", "kind"))),
         aliases=("performance", "profit")),
    Spec("positions", "What is held, and what is wanted.", aliases=("balance",)),
    Spec("orders", "Orders, the newest first.", (_limit(50, 200),)),
    Spec("trades", "Closed trades, the newest first.", (_limit(50, 200),)),
    Spec("decisions", "The newest decision for each symbol, with its reasons.",
         (Param("symbol", "only this symbol"),)),
    Spec("risk", "Each limit: what is used, what is allowed, how far it may be loosened."),
    Spec("sources", "The sources of a live run and how they are."),
    Spec("flow", "How many state changes went from agents of which kind to which."),
    Spec("alerts", "What an operator should look at; acknowledged ones too."),
    Spec("findings", "Behaviour nobody coded, with its evidence, the newest first.",
         (_limit(50, 200),), aliases=("emergence",)),
    Spec("audit", "Who did what, the newest first.", (_limit(100, 500),)),
    Spec("why", "What led to a decision, order, fill or trade, found by running it again.",
         (Param("id", "as T12, O7, D345, or last", required=True, longest=64),)),
    Spec("help", "What there is, or how one command is used.",
         (Param("command", "its name"),)),
)  # fmt: skip

_OPERATOR = (
    Spec("pause_agent", "Call these agents no more until they are resumed.", (_AGENT,),
         confirms="where it is more than a quarter of all agents, or one that decides"),
    Spec("resume_agent", "Call paused agents again.", (_AGENT,)),
    Spec("restart_agent", "New incarnations from their checkpoints.", (_AGENT,), confirms="always"),
    Spec("isolate_agent", "Take agents out; only a restart brings them back.", (_AGENT,),
         confirms="always"),
    Spec("reset_breaker", "Forget their failures; those that are down are tried again.", (_AGENT,),
         aliases=("reset_circuit",)),
    Spec("adjust_risk", "Another value for one hard limit; loosening is capped.",
         (Param("name", "which limit", required=True, choices=tuple(LIMIT_NAMES)),
          Param("value", "its new value", "number", required=True, low=0.0, high=100_000.0)),
         confirms="where it loosens the limit"),
    Spec("rebalance_weights", "How much of the fusion each voter is.",
         (Param("weights", "share of these voters, 0 to 1; the others share the rest as before",
                "weights"),
          Param("method", "instead of weights: all equal, by what their own paper books earned, or "
                "as learned again", choices=("equal", "performance", "learned")),
          Param("max_shift", "largest change of any share that is let through", "number",
                default=1.0, low=0.0, high=1.0)),
         confirms="always"),
    Spec("exit", "Close positions and keep out of these symbols until entries resume.",
         (Param("target", "a symbol, several with commas, or * for all", default="*",
                longest=2000),),
         confirms="always", aliases=("forceexit",)),
    Spec("cancel_order", "Withdraw a working order.",
         (Param("order", "its id, as O12", required=True),), aliases=("coo",)),
    Spec("pause_entries", "Take no new risk; positions may shrink.", aliases=("stopentry",)),
    Spec("resume_entries", "Take new risk again; undoes pause_entries and exit."),
    Spec(STOP, "Close the order gateway at once, to every agent.",
         (Param("level", "cancel withdraws working orders, flatten closes positions too",
                default="cancel", choices=("cancel", "flatten")),)),
    Spec("resume_trading", "Open the gateway again after a stop.", confirms="always"),
    Spec("ack_alert", "Say that you have seen an alert.",
         (Param("id", "its number", "integer", required=True, low=1),)),
    Spec("annotate", "Write a remark into the record; it is marked on the chart.",
         (Param("text", "at most 500 characters", required=True, longest=500),)),
)  # fmt: skip


def _all() -> dict[str, Spec]:
    from dataclasses import replace

    changing = [replace(spec, role="operator", changes=True) for spec in _OPERATOR]
    return {spec.name: spec for spec in (*_VIEWER, *changing)}


SPECS: Mapping[str, Spec] = MappingProxyType(_all())
"""By name, in the order in which they are shown."""

BY_ANY_NAME: Mapping[str, Spec] = MappingProxyType(
    {
        **SPECS,
        **{alias: spec for spec in SPECS.values() for alias in spec.aliases},
    }
)
"""By name and by alias."""
