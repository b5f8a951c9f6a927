"""What an agent says of itself, asked in a process of its own: nothing of it runs in this one."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from mirrorcore.errors import ConfigError
from mirrorcore.swarm.recipes import Description, Recipe, describe
from mirrorcore.syncbus import BusError, Handlers, ProcessFactory, SyncBus


def ask_elsewhere(recipe: Recipe) -> Description:
    """Build the agent in a process that ends at once; ConfigError where it cannot be built."""
    content = b""
    if recipe.file is not None and Path(recipe.file).is_file():
        content = Path(recipe.file).read_bytes()
    return _asked(msgspec.msgpack.encode(recipe), hashlib.sha256(content).hexdigest())


@lru_cache(maxsize=64)
def _asked(encoded: bytes, _content: str) -> Description:
    """One question for each recipe and content of its file: a run is assembled more than once."""
    # In a thread, because whoever assembles a swarm may have an event loop running.
    with ThreadPoolExecutor(1) as thread:
        told = thread.submit(lambda: asyncio.run(_ask(encoded))).result()
    return msgspec.msgpack.decode(told, type=Description)


async def _ask(encoded: bytes) -> bytes:
    recipe = msgspec.msgpack.decode(encoded, type=Recipe)
    bus = SyncBus()
    try:
        bus.register(
            recipe.agent_id,
            kind="asked",
            isolation="process",
            process=ProcessFactory("mirrorcore.swarm.asking:tell", {"recipe": recipe}),
        )
        await bus.started()
        await bus.drain()
        told: bytes = bus.read(recipe.agent_id).state["told"]
        return told
    except BusError as error:
        raise ConfigError(error.message, hint=error.hint) from error
    finally:
        await bus.aclose()


def tell(handle: Any, _checkpoint: bytes | None, recipe: Recipe) -> Handlers:
    """In the child: build the agent and publish its description."""
    description = describe(recipe.agent_id, recipe.maker()())
    handle.publish({"told": msgspec.msgpack.encode(description)})
    return Handlers()
