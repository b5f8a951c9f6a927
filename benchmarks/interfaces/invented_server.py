"""Serves an invented swarm: ``python -m benchmarks.interfaces.invented_server --agents 1000``.

The port stands on the first line of standard output. Each client has a swarm of its own, with
frames as fast as it asked for them and as many agents saying something new as ``--churn`` says.
It ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from benchmarks.interfaces.invented_swarm import World
from mirrorcore.interfaces.commands.catalogue import SPECS


async def main(agents: int, churn: float) -> None:
    """Serve until nobody holds standard input open."""

    async def follow(socket: ServerConnection) -> None:
        hello = json.loads(await socket.recv())
        world = World(agents, epoch=2_000)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionClosed):
            for frame in (world.hello(), world.snapshot()):
                await socket.send(json.dumps(frame))
            due = loop.time()
            while True:
                due += 1.0 / hello["rate"]
                await asyncio.sleep(max(0.0, due - loop.time()))
                await socket.send(json.dumps(world.delta(churn)))

    async with serve(follow, "127.0.0.1", 0, compression=None, process_request=_asked) as server:
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def _asked(connection: ServerConnection, request: Request) -> Response | None:
    if request.path != "/api/v1/commands":
        return None
    specs = [spec.document() for spec in SPECS.values()]
    return connection.respond(HTTPStatus.OK, json.dumps({"role": "operator", "commands": specs}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--churn", type=float, default=1.0)
    given = parser.parse_args()
    asyncio.run(main(given.agents, given.churn))
