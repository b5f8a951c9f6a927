import math

from mirrorcore import BaseAgent


class GuideAgent(BaseAgent):
    """Expects what has risen too fast, by its RSI, to come back."""

    async def _analyze(self, relevant_data):
        signal = {
            symbol: self._opinion(values) for symbol, values in relevant_data["technical"].items()
        }
        return {"status": "active", "signal": signal, "confidence": 0.6}

    def _opinion(self, values):
        rsi = values["rsi_14"]
        if math.isnan(rsi):  # the indicator is still warming up
            return 0.0
        return max(-1.0, min(1.0, (50.0 - rsi) / 50.0)) * 0.1
