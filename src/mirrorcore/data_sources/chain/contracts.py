"""Whether contracts are what the configuration says of them."""

from __future__ import annotations

from mirrorcore.data_sources.chain import events
from mirrorcore.data_sources.chain.amounts import Token
from mirrorcore.data_sources.chain.rpc import Node
from mirrorcore.data_sources.live import SourceError

_DECIMALS = "0x313ce567"
TOKEN0 = "0x0dfe1681"
TOKEN1 = "0xd21220a7"


async def view(node: Node, address: str, selector: str, what: str) -> int:
    """One word that a contract answers; SourceError where it does not."""
    answer = events.words(await node.call(address, selector), 1)
    if answer is None:
        raise SourceError(
            f"{address} does not answer {what}: is there such a contract on this chain?",
            hint="check the address",
            permanent=True,
        )
    return answer[0]


async def verify_token(node: Node, token: Token) -> None:
    """The decimals are what makes units of amounts: wrong ones shift every figure."""
    decimals = await view(node, token.address, _DECIMALS, "decimals()")
    if decimals != token.decimals:
        raise SourceError(
            f"{token.symbol} at {token.address} has {decimals} decimals, not {token.decimals}",
            hint=f"give it {decimals} decimals, if it is the token you mean",
            permanent=True,
        )
