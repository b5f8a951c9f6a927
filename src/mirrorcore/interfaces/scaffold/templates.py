"""The texts a new project and a new agent begin as. ``@NAME@`` and its like are filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping

_GUIDE = '''from mirrorcore import BaseAgent


class @NAME@(BaseAgent):
    """Likes what stands far below its mean of the last 96 bars."""

    async def _analyze(self, relevant_data):
        # {category: {symbol: {name: value}}} of the interests in the [[agent]] entry.
        signal = {}
        for symbol, values in relevant_data["technical"].items():
            z = values["z_96"]
            if z == z:  # NaN while unknown: no opinion then
                signal[symbol] = max(-1.0, min(1.0, -0.05 * z))
        # signal, in -1..1 by symbol, is the vote; any other field is free.
        return {"signal": signal, "confidence": 0.5 if signal else 0.0}
'''

_TICK = '''import numpy as np

from mirrorcore import StateField, TickAgent
from mirrorcore.clock import HOUR


class @NAME@(TickAgent):
    """Expects a symbol that grew calmer to rise, and remembers how calm each was."""

    kind = "@KIND@"
    votes = True
    cadence_ns = HOUR  # how often it is called
    horizon_ns = 4 * HOUR  # over which time its forecast is meant
    state = {  # what it publishes: meaning, unit, lowest, highest, shape, may be missing
        "forecast": StateField("probability of a rise", "probability", 0, 1, "symbols", True),
        "calm": StateField("smoothed log ratio of slow to fast volatility", "", -10, 10, "symbols"),
    }

    def __init__(self, agent_id="@NAME@", *, memory: float = 0.9):
        super().__init__(agent_id, ["risk"])  # the categories it reads
        self.memory = memory

    def prepare(self):
        self.calm = np.zeros(len(self.context.symbols))

    def _analyze(self, tick):
        ratio = tick.value("risk", "vol_ratio")  # one value a symbol, NaN while unknown
        known = np.isfinite(ratio) & (ratio > 0)
        fresh = np.where(known, -np.log(np.where(known, ratio, 1.0)), 0.0)
        self.calm = self.memory * self.calm + (1 - self.memory) * np.clip(fresh, -10, 10)
        forecast = np.where(known, 0.5 + 0.02 * np.tanh(self.calm), np.nan)
        return {"forecast": forecast, "calm": self.calm}
'''

_BLOCK = '''import numpy as np

from mirrorcore import BlockAgent, StateField
from mirrorcore.market.features.filters import Ema


class @NAME@(BlockAgent):
    """Follows the side on which bars close, smoothed over a day."""

    kind = "@KIND@"
    votes = True
    state = {  # what it publishes: meaning, unit, lowest, highest, shape, may be missing
        "forecast": StateField("probability of a rise", "probability", 0, 1, "symbols", True),
    }

    def __init__(self, agent_id="@NAME@", *, strength: float = 0.2):
        super().__init__(agent_id, ["technical"])  # the categories it reads
        self.strength = strength

    def prepare(self):
        # What reaches back lives in filters, which do not see where blocks are cut.
        self.smooth = Ema(half_life_bars=288.0, columns=len(self.context.symbols))

    def _analyze(self, block):
        moved = block.value("technical", "return_1")  # (ticks, symbols), NaN while unknown
        known = np.isfinite(moved)
        side = self.smooth(np.sign(np.where(known, moved, 0.0)))
        forecast = 0.5 + self.strength * np.clip(side, -1.0, 1.0)
        return {"forecast": np.where(known, forecast, np.nan)}

    def remember(self):
        return {"smooth": self.smooth.checkpoint()}

    def recall(self, memory):
        self.smooth.restore(memory["smooth"])
'''

_CONTRACT = '''from pathlib import Path

from mirrorcore import load_config
from mirrorcore.swarm.contract import check_agent

CONFIG = Path(__file__).resolve().parent.parent / @CONFIG@


def test_@MODULE@_keeps_the_contract():
    """The promises of every agent; 'mirrorcore agents test @NAME@' shows them one by one."""
    report = check_agent(load_config(CONFIG, {}).config, "@NAME@")
    broken = [f"{one.promise}: {one.detail}" for one in report.findings if one.verdict == "failed"]
    assert not broken, "\\n".join(broken)
'''

_OPINION = """

def test_@MODULE@_likes_what_is_cheap():
    agent = load_agent_class(CONFIG.parent / "@FILE@")("@NAME@", ["technical"])
    market = {"technical": {"A": {"z_96": -2.0}, "B": {"z_96": 2.0}, "C": {"z_96": float("nan")}}}
    signal = asyncio.run(agent._analyze(market))["signal"]
    assert signal["A"] > 0 > signal["B"]
    assert "C" not in signal, "an opinion on what is unknown"
"""

AGENTS: Mapping[str, str] = {"guide": _GUIDE, "tick": _TICK, "block": _BLOCK}
"""Form -> the file of an agent."""

ENTRIES: Mapping[str, str] = {
    "guide": 'id = "@NAME@"\nfile = "@FILE@"\ninterests = ["technical"]\ncadence = "1h"\n',
    "tick": 'id = "@NAME@"\nfile = "@FILE@"\nparams = { memory = 0.9 }\n',
    "block": 'id = "@NAME@"\nfile = "@FILE@"\nparams = { strength = 0.2 }\n',
}
"""Form -> what belongs into the ``[[agent]]`` entry of the configuration."""

PROJECTS: Mapping[str, str] = {
    "minimal": """\
# @PROJECT@: the standard swarm and one agent of your own, on a simulated market.
# 'mirrorcore config show -c @CONFIG@ --explain' shows every setting with its reason.

seed = 42

[market]
symbols = 4
period = "30d"
timeframe = "5m"

[account]
balance = "100000"
""",
    "crypto": """\
# @PROJECT@: the standard swarm and one agent of your own, on pairs of a crypto exchange.
# 'mirrorcore config show -c @CONFIG@ --explain' shows every setting with its reason.

seed = 42

[market]
# Simulated bars under these names need no network. For real candles:
#   mirrorcore data fetch binance BTC/USDT ETH/USDT SOL/USDT --out data/candles
# and then in here: source = "recorded" and directory = "data/candles" instead of period.
symbols = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
timeframe = "5m"
period = "30d"

[exchange]
# Which venue 'mirrorcore run -c @CONFIG@ --source exchange' listens to. It trades on paper.
venue = "binance"

[account]
currency = "USDT"
balance = "10000"
""",
}
"""Template -> ``mirrorcore.toml``, without agents."""

IGNORED = """\
runs/
data/
__pycache__/
.pytest_cache/
.venv/
.env
"""


def fill(template: str, **values: str) -> str:
    """The template with every ``@WORD@`` replaced; KeyError for one without a value."""
    return re.sub(r"@([A-Z]+)@", lambda found: values[found[1].lower()], template)


def test_of(form: str) -> str:
    """The test of an agent of this form."""
    if form != "guide":
        return _CONTRACT
    told = _CONTRACT.replace("from pathlib", "import asyncio\nfrom pathlib", 1)
    known = "from mirrorcore import load_config\n"
    loads = "from mirrorcore.agents.roster import load_agent_class\n"
    told = told.replace(known, known + loads)
    return told + _OPINION
