"""What a limit did, in words."""

from __future__ import annotations

from mirrorcore.report.catalogue import METRICS
from mirrorcore.report.explanation import Clip
from mirrorcore.report.headline import clip_text


def test_a_stopped_gateway_is_told_as_what_happened() -> None:
    """Its veto is of an order, whose change is often too small to be told as a share."""
    clip = Clip(limit="gateway", symbol="BBB/USD", asked=0.0, allowed=0.0)
    assert clip_text(clip) == "the gateway was stopped, so no order was sent in BBB/USD"
    clip = Clip(limit="order_rate", symbol="BBB/USD", asked=0.03, allowed=0.0)
    assert clip_text(clip).startswith("order_rate allowed nothing of ")


def test_costs_say_what_they_are_a_share_of() -> None:
    assert METRICS["cost_share"].label == "Fees and slippage, share of capital"
