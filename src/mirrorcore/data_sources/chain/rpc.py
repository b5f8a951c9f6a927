"""Questions to a node over JSON-RPC, answered with plain values; every failure is a SourceError."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from mirrorcore import clock
from mirrorcore.clock import Clock
from mirrorcore.data_sources.chain.events import Log
from mirrorcore.data_sources.chain.rpc_errors import from_answer, from_status
from mirrorcore.data_sources.live import SourceError
from mirrorcore.errors import UsageError

if TYPE_CHECKING:
    from web3 import AsyncWeb3

T = TypeVar("T")

TIMEOUT_NS = 10 * clock.SECOND


@dataclass(frozen=True, slots=True)
class Payment:
    """A transaction's native coin, in wei; ``recipient`` is "" where it makes a contract."""

    hash: str
    index: int
    sender: str
    recipient: str
    value: int
    gas_price: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header; ``payments`` only where the whole block was asked for."""

    number: int
    hash: str
    parent_hash: str
    ts: int
    base_fee: int
    gas_used: int
    gas_limit: int
    payments: tuple[Payment, ...] = ()
    bloom: int = 0

    def may_hold(self, addresses: Sequence[str], topics: Sequence[str]) -> bool:
        """Whether one of the contracts may have logged one of the topics in this block, by the
        header's Bloom filter: False is certain (Ethereum yellow paper, 4.3.1)."""
        return any(map(self._has, addresses)) and any(map(self._has, topics))

    def _has(self, entry: str) -> bool:
        from eth_utils.crypto import keccak

        digest = keccak(hexstr=entry)
        bits = [int.from_bytes(digest[at : at + 2]) & 2047 for at in (0, 2, 4)]
        return all(self.bloom >> bit & 1 for bit in bits)


class Node(Protocol):
    """What the follower asks of a node."""

    async def block(self, number: int | None, *, full: bool = False) -> Block | None:
        """The block at a height, the newest for None; None where the node has no such block."""

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[str]
    ) -> list[Log]:
        """Logs of blocks ``first`` to ``last``; RangeTooLargeError where that is too many."""

    async def block_logs(
        self, block_hash: str, addresses: Sequence[str], topics: Sequence[str]
    ) -> list[Log]:
        """Logs of one block, by its hash: no other block's can be among them."""

    async def succeeded(self, transaction: str, block_hash: str) -> bool | None:
        """Whether a transaction of that very block was carried out; None if it is not there."""

    async def call(self, to: str, data: str, block: int | None = None) -> bytes:
        """What a contract's view answers as of a block; StateUnavailableError if that is gone."""

    async def chain_id(self) -> int:
        """Which chain the node follows."""

    async def aclose(self) -> None:
        """Give up connections."""


class Rpc:
    """A node reached over HTTP.

    Parameters
    ----------
    endpoint: the node's address.
    clock: for the waits a server asks for.
    timeout_ns: of one question.
    """

    def __init__(self, endpoint: str, clock: Clock, *, timeout_ns: int = TIMEOUT_NS) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._timeout = timeout_ns
        self._web3: AsyncWeb3[Any] | None = None
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("the node has no address", hint="write https://host/path")
        self.host = parts.hostname

    async def block(self, number: int | None, *, full: bool = False) -> Block | None:
        from web3.exceptions import BlockNotFound

        which: Any = "latest" if number is None else number
        try:
            raw = await self._asked(
                "eth_getBlockByNumber", self._connection().eth.get_block(which, full)
            )
            return self._read("eth_getBlockByNumber", lambda: _block(raw, full))
        except BlockNotFound:
            return None

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[str]
    ) -> list[Log]:
        return await self._logs({"fromBlock": first, "toBlock": last}, addresses, topics)

    async def block_logs(
        self, block_hash: str, addresses: Sequence[str], topics: Sequence[str]
    ) -> list[Log]:
        return await self._logs({"blockHash": block_hash}, addresses, topics)

    async def _logs(
        self, place: Mapping[str, Any], addresses: Sequence[str], topics: Sequence[str]
    ) -> list[Log]:
        if not addresses:
            return []
        connection = self._connection()
        # Topics go as text: handed over as bytes, one provider answers with nothing, and no error.
        asked: Any = {
            **place,
            "address": [connection.to_checksum_address(one) for one in addresses],
            "topics": [list(topics)],
        }
        raw: Any = await self._asked("eth_getLogs", connection.eth.get_logs(asked))
        return self._read("eth_getLogs", lambda: [_log(one) for one in raw if not _removed(one)])

    async def succeeded(self, transaction: str, block_hash: str) -> bool | None:
        from web3.exceptions import TransactionNotFound

        question = self._connection().eth.get_transaction_receipt(transaction)  # type: ignore[arg-type]
        try:
            raw: Any = await self._asked("eth_getTransactionReceipt", question)
        except TransactionNotFound:
            return None
        return self._read(
            "eth_getTransactionReceipt",
            lambda: bool(raw["status"]) if _hex(raw["blockHash"]) == block_hash else None,
        )

    async def call(self, to: str, data: str, block: int | None = None) -> bytes:
        connection = self._connection()
        asked: Any = {"to": connection.to_checksum_address(to), "data": data}
        which: Any = "latest" if block is None else block
        return bytes(await self._asked("eth_call", connection.eth.call(asked, which)))

    async def chain_id(self) -> int:
        return int(await self._asked("eth_chainId", self._connection().eth.chain_id))

    async def aclose(self) -> None:
        if self._web3 is not None:
            await self._web3.provider.disconnect()
            self._web3 = None

    def _connection(self) -> AsyncWeb3[Any]:
        if self._web3 is None:
            self._web3 = _connect(self._endpoint, self._timeout)
        return self._web3

    async def _asked(self, method: str, answer: Awaitable[Any]) -> Any:
        """The answer, or the failure in our words."""
        from aiohttp import ClientError, ClientResponseError
        from web3.exceptions import BlockNotFound, TransactionNotFound, Web3Exception, Web3RPCError

        try:
            result = await answer
        except (BlockNotFound, TransactionNotFound):
            raise
        except ClientResponseError as error:
            after = error.headers.get("Retry-After", "") if error.headers else ""
            raise from_status(self.host, error.status, after, self._clock.now()) from None
        except TimeoutError:
            seconds = self._timeout / clock.SECOND
            raise SourceError(f"{self.host} did not answer {method} in {seconds:g} s") from None
        except (ClientError, OSError) as error:
            raise SourceError(
                f"the connection to {self.host} failed: {type(error).__name__}"
            ) from None
        except Web3RPCError as error:
            raise from_answer(self.host, method, *_refusal(error)) from None
        except (Web3Exception, ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._unreadable(method, error) from error
        if result is None:
            raise SourceError(f"{self.host} answered {method} with nothing")
        return result

    def _read(self, method: str, reading: Callable[[], T]) -> T:
        try:
            return reading()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._unreadable(method, error) from error

    def _unreadable(self, method: str, error: Exception) -> SourceError:
        return SourceError(
            f"{self.host} answered {method} with what is no answer of a node"
            f" ({type(error).__name__})",
            hint="check that the address is that of a JSON-RPC endpoint",
        )


def _connect(endpoint: str, timeout_ns: int) -> AsyncWeb3[Any]:
    try:
        from web3 import AsyncWeb3
        from web3.middleware import ExtraDataToPOAMiddleware

        from mirrorcore.data_sources.chain.provider import SessionProvider
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"chains are read with {missing.name}, which is not installed",
            hint="pip install mirrorcore-x[sources]",
        ) from missing
    provider = SessionProvider(endpoint, timeout_ns / clock.SECOND)
    web3: AsyncWeb3[Any] = AsyncWeb3(provider)
    # Chains with named block makers write more into a header than mainnet's rule allows.
    web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return web3


def _refusal(error: Any) -> tuple[int, str]:
    """Code and message of an error inside an answer."""
    response = error.rpc_response or {}
    told = response.get("error")
    if isinstance(told, Mapping):
        code = told.get("code")
        return code if isinstance(code, int) else 0, str(told.get("message", ""))
    return 0, str(told or error)


def _hex(value: Any) -> str:
    return value.lower() if isinstance(value, str) else f"0x{bytes(value).hex()}"


def _removed(raw: Mapping[str, Any]) -> bool:
    """Whether the node itself says that a reorganisation took the log away."""
    return bool(raw.get("removed", False))


def _block(raw: Mapping[str, Any], full: bool) -> Block:
    return Block(
        number=int(raw["number"]),
        hash=_hex(raw["hash"]),
        parent_hash=_hex(raw["parentHash"]),
        ts=int(raw["timestamp"]) * clock.SECOND,
        base_fee=int(raw.get("baseFeePerGas") or 0),
        gas_used=int(raw["gasUsed"]),
        gas_limit=int(raw["gasLimit"]),
        payments=tuple(_payment(one) for one in raw["transactions"]) if full else (),
        bloom=int(_hex(raw["logsBloom"]), 16),
    )


def _payment(raw: Mapping[str, Any]) -> Payment:
    return Payment(
        hash=_hex(raw["hash"]),
        index=int(raw["transactionIndex"]),
        sender=_hex(raw["from"]),
        recipient=_hex(raw["to"]) if raw.get("to") else "",
        value=int(raw["value"]),
        gas_price=int(raw["gasPrice"]),
    )


def _log(raw: Mapping[str, Any]) -> Log:
    return Log(
        address=_hex(raw["address"]),
        topics=tuple(_hex(one) for one in raw["topics"]),
        data=bytes(raw["data"]),
        block=int(raw["blockNumber"]),
        block_hash=_hex(raw["blockHash"]),
        transaction=_hex(raw["transactionHash"]),
        index=int(raw["logIndex"]),
    )
