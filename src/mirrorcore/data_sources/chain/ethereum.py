"""Blocks, gas and large transfers of an Ethereum-like chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median_low

from mirrorcore import clock
from mirrorcore.clock import Clock
from mirrorcore.data_sources.chain import events
from mirrorcore.data_sources.chain.amounts import Token, canonical_address, from_units, to_units
from mirrorcore.data_sources.chain.contracts import verify_token
from mirrorcore.data_sources.chain.events import Log
from mirrorcore.data_sources.chain.flows import Flow, FlowWindows, Window
from mirrorcore.data_sources.chain.numbering import (
    log_number,
    observed,
    payment_number,
)
from mirrorcore.data_sources.chain.rpc import Block, Node, Payment
from mirrorcore.data_sources.chain.rpc_errors import MovedError
from mirrorcore.data_sources.chain.source import ChainReader, ChainRules, ChainSource
from mirrorcore.data_sources.live import SourceSpec
from mirrorcore.errors import UsageError
from mirrorcore.market.records import ALL_SYMBOLS, ChainBlock, FeedRecord, Observation, Transfer

NATIVE_DECIMALS = 18
_GWEI_DECIMALS = 9
NATIVE_TOKEN = "0x" + "e" * 40
"""Stands for the chain's own coin where an address is expected, as ERC-7528 says."""
NOT_A_LOG = -1
"""The log index of native coin, which moves without a log."""


class TransferReader:
    """Makes records of one block: the block, its gas, large transfers, flows of exchanges.

    Parameters
    ----------
    name: of the source.
    native: symbol of the chain's own coin.
    native_least: wei from which on a payment is told.
    tokens: those that are believed; any other contract's transfers are not read.
    exchanges: addresses of exchanges' wallets.
    markets: symbol of the market by symbol of the token, for flows.
    flow_series, flow_ns: name and length of the flows' windows.
    memory: blocks that can be taken back.
    """

    full = True
    topics = (events.TRANSFER,)

    def __init__(
        self,
        name: str,
        native: str,
        native_least: int,
        tokens: Sequence[Token],
        exchanges: Sequence[str],
        markets: Mapping[str, str],
        flow_series: str,
        flow_ns: int,
        memory: int,
    ) -> None:
        self._name = name
        self._native = native
        self._native_least = native_least
        self._tokens = {token.address: token for token in tokens}
        self.addresses = tuple(self._tokens)
        self._exchanges = dict.fromkeys(exchanges)
        self._markets = dict(markets)
        self._decimals = {native: NATIVE_DECIMALS} | {one.symbol: one.decimals for one in tokens}
        self._series = flow_series
        self._flow_ns = flow_ns
        self._windows = FlowWindows(tuple(markets), flow_ns, memory)

    async def verify(self, node: Node) -> None:
        for token in self._tokens.values():
            await verify_token(node, token)

    def needs_from(self, ts: int) -> int:
        return ts // self._flow_ns * self._flow_ns if self._markets else ts

    async def begin(self, node: Node, below: Block) -> None:
        self._windows.begin(below.ts)

    def retract(self, first: int) -> None:
        self._windows.retract(first)

    async def read(self, node: Node, block: Block, logs: Sequence[Log]) -> list[FeedRecord]:
        transfers = [
            *[self._native_transfer(block, one) for one in await self._paid(node, block)],
            *[made for log in logs if (made := self._token_transfer(block, log)) is not None],
        ]
        flows = [flow for one in transfers for flow in self._flows(one)]
        closed = self._windows.add(block.number, block.ts, flows)
        # The block itself comes last: once it is told, all of it was.
        return [*transfers, *self._observations(block, closed), self._block(block)]

    async def _paid(self, node: Node, block: Block) -> list[Payment]:
        """Large payments that were carried out: a transaction in a block may have failed."""
        paid = []
        for payment in block.payments:
            if payment.value < max(1, self._native_least) or not payment.recipient:
                continue
            succeeded = await node.succeeded(payment.hash, block.hash)
            if succeeded is None:
                raise MovedError(f"the receipt of {payment.hash} is not that of its block")
            if succeeded:
                paid.append(payment)
        return paid

    def _block(self, block: Block) -> ChainBlock:
        return ChainBlock(
            source=self._name,
            symbol=self._native,
            ts_event=block.ts,
            ts_recv=0,
            ts_avail=0,
            seq=block.number,
            block_hash=block.hash,
            parent_hash=block.parent_hash,
            base_fee_wei=block.base_fee,
            gas_used=block.gas_used,
            gas_limit=block.gas_limit,
        )

    def _native_transfer(self, block: Block, payment: Payment) -> Transfer:
        return Transfer(
            source=self._name,
            symbol=self._native,
            ts_event=block.ts,
            ts_recv=0,
            ts_avail=0,
            seq=payment_number(block.number, payment.index),
            token=NATIVE_TOKEN,
            sender=payment.sender,
            recipient=payment.recipient,
            amount=str(payment.value),
            decimals=NATIVE_DECIMALS,
            block=block.number,
            block_hash=block.hash,
            transaction=payment.hash,
            log_index=NOT_A_LOG,
        )

    def _token_transfer(self, block: Block, log: Log) -> Transfer | None:
        token = self._tokens.get(log.address)
        moved = events.token_transfer(log)
        if token is None or moved is None or moved.amount < token.least:
            return None
        return Transfer(
            source=self._name,
            symbol=token.symbol,
            ts_event=block.ts,
            ts_recv=0,
            ts_avail=0,
            seq=log_number(block.number, log.index),
            token=token.address,
            sender=moved.sender,
            recipient=moved.recipient,
            amount=str(moved.amount),
            decimals=token.decimals,
            block=block.number,
            block_hash=block.hash,
            transaction=log.transaction,
            log_index=log.index,
        )

    def _flows(self, transfer: Transfer) -> list[Flow]:
        """What leaves an exchange was bought to be kept; what enters one may be sold."""
        leaves = transfer.sender in self._exchanges
        enters = transfer.recipient in self._exchanges
        if transfer.symbol not in self._markets or leaves == enters:
            return []
        amount = int(transfer.amount)
        return [Flow(transfer.symbol, amount if leaves else -amount)]

    def _observations(self, block: Block, closed: Sequence[Window]) -> list[Observation]:
        prices = [payment.gas_price for payment in block.payments]
        paid = median_low(prices) if prices else block.base_fee
        share = block.gas_used / block.gas_limit if block.gas_limit else None
        values: list[tuple[str, str, int, float | None]] = [
            ("onchain.gas", ALL_SYMBOLS, block.ts, float(to_units(paid, _GWEI_DECIMALS))),
            (
                "onchain.base_fee_gwei",
                ALL_SYMBOLS,
                block.ts,
                float(to_units(block.base_fee, _GWEI_DECIMALS)),
            ),
            ("onchain.gas_used_share", ALL_SYMBOLS, block.ts, share),
        ]
        for window in closed:
            for symbol, market in self._markets.items():
                units = float(to_units(window.sums[symbol], self._decimals[symbol]))
                values.append((self._series, market, window.end, units))
        return observed(self._name, block.number, values)


class EthereumSource(ChainSource):
    """Follows a chain: ChainBlock, Transfer, and observations of gas and flows of exchanges.

    | series | of | unit |
    |---|---|---|
    | ``onchain.gas`` | each block: median price paid in it, base fee where it is empty | gwei |
    | ``onchain.base_fee_gwei`` | each block | gwei |
    | ``onchain.gas_used_share`` | each block: gas used over its limit | 0 to 1 |
    | ``onchain.exchange_flow`` | each window: large transfers, + left exchanges | units |

    Coin moved *within* a transaction by a contract leaves no trace in blocks and logs, and is not
    seen.

    Parameters
    ----------
    endpoint: address of a JSON-RPC node over HTTP.
    native, native_threshold: the chain's coin, and the units from which on a payment is told.
    tokens: allow-list, by address.
    exchanges: addresses of exchanges' wallets; without them there are no flows.
    markets: symbol of the market by symbol of the coin or token, as {"ETH": "ETH/USDT"}.
    """

    def __init__(
        self,
        endpoint: str,
        clock: Clock,
        *,
        name: str = "ethereum",
        rules: ChainRules | None = None,
        native: str = "ETH",
        native_threshold: str = "100",
        tokens: Sequence[Token] = (),
        exchanges: Sequence[str] = (),
        markets: Mapping[str, str] | None = None,
        flow_series: str = "onchain.exchange_flow",
        flow_ns: int = 5 * clock.MINUTE,
    ) -> None:
        rules = ChainRules() if rules is None else rules
        wanted = dict(markets or {}) if exchanges else {}
        symbols = (native, *(token.symbol for token in tokens))
        _refuse_doubles(symbols, tokens)
        unknown = [symbol for symbol in wanted if symbol not in symbols]
        if unknown:
            raise UsageError(
                f"{name}: flows of {', '.join(unknown)} are asked for, which are not read",
                hint=f"read are {', '.join(symbols)}; put others among the tokens",
            )
        self._arguments = (
            name,
            native,
            from_units(native_threshold, NATIVE_DECIMALS),
            tuple(tokens),
            tuple(canonical_address(one) for one in exchanges),
            wanted,
            flow_series,
            flow_ns,
            rules.memory,
        )
        spec = SourceSpec(
            name=name,
            category="onchain",
            kinds=("block", "transfer", "observation"),
            symbols=tuple(dict.fromkeys((*symbols, *wanted.values(), ALL_SYMBOLS))),
            cadence_ns=rules.block_ns,
            stale_after_ns=10 * rules.block_ns,
            units={
                "transfer": "smallest units of the token",
                "onchain.gas": "gwei",
                "onchain.base_fee_gwei": "gwei",
                "onchain.gas_used_share": "share of the block's limit",
                flow_series: "units of base, positive left exchanges",
            },
            licence="public chain data; the node's own terms",
            tested=True,
        )
        super().__init__(endpoint, clock, spec, rules, native)

    def _reader(self) -> ChainReader:
        return TransferReader(*self._arguments)


def _refuse_doubles(symbols: Sequence[str], tokens: Sequence[Token]) -> None:
    addresses = [token.address for token in tokens]
    twice = [one for one in (*symbols, *addresses) if [*symbols, *addresses].count(one) > 1]
    if twice:
        raise UsageError(
            f"two tokens are called {twice[0]}", hint="give each its own symbol and address"
        )
