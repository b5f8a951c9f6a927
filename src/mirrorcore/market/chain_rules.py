"""Blocks, transfers and swaps: judged by source, against the blocks and events seen before.

Amounts are texts of whole numbers and stay so; here they are only looked at, as integers.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from mirrorcore import clock
from mirrorcore.market.intake import Case
from mirrorcore.market.records import ChainBlock, Flag, GapRecord, Status, Swap, Transfer
from mirrorcore.market.rulings import Ruling, time_fault, type_fault

AHEAD = 2 * clock.HOUR
"""A block's time may lie so far ahead of ours: miners and validators choose it, and no network's
rule is wider (Bitcoin's; Ethereum's was 15 s). Confirmations, not times, say what is final."""
KEPT_BLOCKS = 1024
KEPT_EVENTS = 65_536
_UINT256 = 2**256
_INT256 = 2**255
_MOST_DECIMALS = 77
"""10^77 is the largest power of ten within 256 bits."""
_WHOLE = re.compile(r"-?[0-9]{1,78}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


@dataclass(slots=True)
class ChainTrack:
    """The memory of one source of one chain.

    Parameters
    ----------
    tokens: addresses in lower case of the tokens that are believed; None believes all. A name
        proves nothing: anyone may deploy a token called USDC.
    """

    tokens: AbstractSet[str] | None = None
    blocks: OrderedDict[int, str] = field(default_factory=OrderedDict)
    """Hash by height."""
    events: OrderedDict[tuple[str, str, int, int], str] = field(default_factory=OrderedDict)
    """What was accepted, by (block hash, transaction, log index, provisional or not)."""

    def judge(self, record: ChainBlock | Transfer | Swap) -> Ruling:
        """Judge the next record and remember it if it is good."""
        fault = type_fault(record)
        if fault is Case.NONE:
            fault = time_fault(record, AHEAD)
        if fault is not Case.NONE:
            return Ruling(fault)
        if isinstance(record, ChainBlock):
            return self._block(record)
        return Ruling(self._event(record))

    def retract(self, height: int) -> None:
        """Forget the blocks at and above ``height``, as a source's own reorg status asks for."""
        for known in [h for h in self.blocks if h >= height]:
            del self.blocks[known]

    def _block(self, block: ChainBlock) -> Ruling:
        height = block.seq
        if not (_HASH.fullmatch(block.block_hash) and _HASH.fullmatch(block.parent_hash)):
            return Ruling(Case.WRONG_TYPE, detail="a hash is not 0x and 64 hex digits")
        if not 0 <= block.gas_used <= block.gas_limit < 2**63:
            return Ruling(Case.OUT_OF_RANGE, detail="more gas was used than the limit")
        if not 0 <= block.base_fee_wei < _UINT256:
            return Ruling(Case.AMOUNT_RANGE)
        known = self.blocks.get(height)
        if known == block.block_hash:
            return Ruling(Case.DUPLICATE)
        before: list[Status | GapRecord] = []
        noted: list[Case] = []
        parent = self.blocks.get(height - 1)
        fork = 0
        if parent is not None and parent != block.parent_hash:
            fork = height - 1
        elif known is not None:
            fork = height
        if fork:
            noted.append(Case.REORG)
            before.append(_reorg(block, fork))
            self.retract(fork)
        newest = next(reversed(self.blocks), 0)
        if newest and height > newest + 1 and not fork:
            noted.append(Case.GAP)
            if not block.flags & Flag.AFTER_GAP:
                before.append(_missing(block, newest))
        self.blocks[height] = block.block_hash
        while len(self.blocks) > KEPT_BLOCKS:
            self.blocks.popitem(last=False)
        flags = Flag.AFTER_GAP if Case.GAP in noted else 0
        return Ruling(flags=flags, noted=tuple(noted), before=tuple(before))

    def _event(self, event: Transfer | Swap) -> Case:
        if isinstance(event, Transfer):
            case = _transfer_fault(event)
            if case is Case.NONE and self.tokens is not None:
                listed = event.token.lower() in self.tokens
                case = Case.NONE if listed else Case.UNLISTED_TOKEN
        else:
            case = _swap_fault(event)
        if case is not Case.NONE:
            return case
        known = self.blocks.get(event.block)
        if known is not None and known != event.block_hash:
            return Case.ORPHANED
        provisional = event.flags & Flag.PROVISIONAL
        key = (event.block_hash, event.transaction, event.log_index, provisional)
        said = repr(event.amount if isinstance(event, Transfer) else event.amount_base)
        if key in self.events:
            return Case.DUPLICATE if self.events[key] == said else Case.REVISED
        self.events[key] = said
        if len(self.events) > KEPT_EVENTS:
            self.events.popitem(last=False)
        return Case.NONE


def _whole(text: str, *, least: int, below: int) -> bool:
    return bool(_WHOLE.fullmatch(text)) and least <= int(text) < below


def _transfer_fault(transfer: Transfer) -> Case:
    if not all(map(_ADDRESS.fullmatch, (transfer.token, transfer.sender, transfer.recipient))):
        return Case.WRONG_TYPE
    if not 0 <= transfer.decimals <= _MOST_DECIMALS:
        return Case.OUT_OF_RANGE
    return Case.NONE if _whole(transfer.amount, least=0, below=_UINT256) else Case.AMOUNT_RANGE


def _swap_fault(swap: Swap) -> Case:
    if not _ADDRESS.fullmatch(swap.pool):
        return Case.WRONG_TYPE
    amounts = (swap.amount_base, swap.amount_quote)
    if not all(_whole(amount, least=-_INT256, below=_INT256) for amount in amounts):
        return Case.AMOUNT_RANGE
    try:
        price = Decimal(swap.price)
        liquidity = Decimal(swap.liquidity)
    except InvalidOperation:
        return Case.WRONG_TYPE
    if not (price.is_finite() and liquidity.is_finite()):
        return Case.NOT_FINITE
    if price <= 0:
        return Case.PRICE_NOT_POSITIVE
    return Case.NEGATIVE_VOLUME if liquidity < 0 else Case.NONE


def _reorg(block: ChainBlock, fork: int) -> Status:
    return Status(
        source=block.source,
        symbol=block.symbol,
        ts_event=block.ts_event,
        ts_recv=block.ts_recv,
        ts_avail=block.ts_avail,
        epoch=block.epoch,
        state="reorg",
        reason=f"block {block.seq} has another parent or replaces one",
        block=fork,
    )


def _missing(block: ChainBlock, newest: int) -> GapRecord:
    return GapRecord(
        source=block.source,
        symbol=block.symbol,
        ts_event=block.ts_event,
        ts_recv=block.ts_recv,
        ts_avail=block.ts_avail,
        epoch=block.epoch,
        start=block.ts_event,
        end=block.ts_event,
        reason=f"blocks {newest + 1} to {block.seq - 1} are missing",
    )
