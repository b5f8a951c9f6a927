import numpy as np

from mirrorcore import BlockAgent, StateField

FORECAST = StateField("probability of a rise", "probability", 0, 1, "symbols", missing=True)


class MyAgent(BlockAgent):
    """Expects what stands far above its mean of 96 bars to come back."""

    kind, votes, state = "my_agent", True, {"forecast": FORECAST}

    def __init__(self, agent_id="MyAgent", *, strength: float = 0.05):
        super().__init__(agent_id, ["technical"])
        self.strength = strength

    def _analyze(self, block):
        stretched = np.clip(block.value("technical", "z_96"), -3, 3)
        return {"forecast": 1 / (1 + np.exp(self.strength * stretched))}
