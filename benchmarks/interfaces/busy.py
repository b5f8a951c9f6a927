"""A run of very many agents, all of which say something new all the time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirrorcore.config import load_config
from mirrorcore.config.model import RunConfig

AGENT = """
from mirrorcore import StateField, TickAgent


class Busy(TickAgent):
    '''Publishes random figures at every ``every``-th tick.'''

    kind = "busy"
    votes = {votes}
    state = {{
        "{said}": StateField("a figure", low=-1, high=1),
        "confidence": StateField("another", low=0, high=1),
    }}

    def __init__(self, agent_id, every=1, turn=0):
        super().__init__(agent_id)
        self.every, self.turn = every, turn

    def _analyze(self, tick):
        self.turn += 1
        if self.turn % self.every:
            return None
        value, confidence = self.rng.uniform(-1, 1), self.rng.uniform(0, 1)
        return {{"{said}": float(value), "confidence": float(confidence)}}
"""


@contextmanager
def busy_run(
    agents: int, *, every: int = 1, voting: bool = True, **settings: object
) -> Iterator[RunConfig]:
    """A configuration of so many agents; each speaks every ``every``-th tick, in turns.

    Those that do not vote cost the swarm less, so that it keeps ten ticks a second of the wall.
    """
    with tempfile.TemporaryDirectory(prefix="busy-") as folder:
        text = AGENT.format(votes=None if voting else False, said="signal" if voting else "level")
        Path(folder, "agents.py").write_text(text, encoding="utf-8")
        entries = [
            f'[[agent]]\nid = "a{number}"\nfile = "agents.py"\nclass = "Busy"\n'
            f"params = {{ every = {every}, turn = {number % every} }}\n"
            for number in range(agents)
        ]
        file = Path(folder, "config.toml")
        file.write_text('[agents]\npreset = "none"\n' + "".join(entries), encoding="utf-8")
        wanted: dict[str, object] = {
            "market.symbols": 1,
            "market.bars": 4000,
            "paper.warmup": "1h",
            "storage.runs": str(Path(folder, "runs")),
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        yield load_config(file, {}, list(wanted.items())).config
