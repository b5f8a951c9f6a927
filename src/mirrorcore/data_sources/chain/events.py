"""Logs of the contracts read here, decoded word by word.

The topics are keccak-256 of the signatures beside them. A log that only shares the topic (the
Transfer of an NFT has a fourth topic and no data) is None, not a wrong number.
"""

from __future__ import annotations

from dataclasses import dataclass

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""Transfer(address,address,uint256)"""
V2_SYNC = "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1"
"""Sync(uint112,uint112)"""
V2_SWAP = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"
"""Swap(address,uint256,uint256,uint256,uint256,address)"""
V3_SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
"""Swap(address,address,int256,int256,uint160,uint128,int24)"""
V3_MINT = "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde"
"""Mint(address,address,int24,int24,uint128,uint256,uint256)"""
V3_BURN = "0x0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c"
"""Burn(address,int24,int24,uint128,uint256,uint256)"""
V3_INITIALIZE = "0x98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95"
"""Initialize(uint160,int24)"""

WORD = 32


@dataclass(frozen=True, slots=True)
class Log:
    """One log as the node tells it; hashes, addresses and topics are lower-case hexadecimal."""

    address: str
    topics: tuple[str, ...]
    data: bytes
    block: int
    block_hash: str
    transaction: str
    index: int


def words(data: bytes, count: int) -> tuple[int, ...] | None:
    """``count`` unsigned words; None where the data has another length."""
    if len(data) != count * WORD:
        return None
    return tuple(int.from_bytes(data[at : at + WORD]) for at in range(0, len(data), WORD))


def signed(word: int) -> int:
    """An unsigned word read as two's complement."""
    return word - 2**256 if word >= 2**255 else word


def topic_address(topic: str) -> str:
    """The address in an indexed parameter."""
    return f"0x{topic[-40:]}"


def topic_signed(topic: str) -> int:
    """The signed number in an indexed parameter."""
    return signed(int(topic, 16))


@dataclass(frozen=True, slots=True)
class TokenTransfer:
    """Smallest units that went from one address to another."""

    sender: str
    recipient: str
    amount: int


def token_transfer(log: Log) -> TokenTransfer | None:
    """The ERC-20 transfer in a log; None for anything else, an NFT's among it."""
    if len(log.topics) != 3 or log.topics[0] != TRANSFER:
        return None
    values = words(log.data, 1)
    if values is None:
        return None
    return TokenTransfer(topic_address(log.topics[1]), topic_address(log.topics[2]), values[0])
