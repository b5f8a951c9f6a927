"""A real Ethereum machine with real tokens and real Uniswap pools, for the tests of chains."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from requests import Session
from web3 import HTTPProvider, Web3

ROOT = Path(__file__).parents[3]
MODULES = ROOT / "build" / "evm" / "node_modules"
GENESIS = 1_700_000_040
BLOCK_SECONDS = 12
NOBODY = "0x000000000000000000000000000000000000dEaD"

V2 = "@uniswap/v2-core/build"
V3 = "@uniswap/v3-core/artifacts/contracts"
V3_PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts"
TOKEN = "@openzeppelin/contracts/build/contracts/ERC20PresetFixedSupply"


def anvil_program() -> Path:
    """Where the machine is. Skips the test where it is not installed; in CI that is a failure."""
    found = sorted(MODULES.glob("@foundry-rs/anvil-*/bin/anvil"))
    if found:
        return found[0]
    hint = f"no anvil under {MODULES}: install Node.js with npm and call scripts/system-deps"
    if os.environ.get("CI") == "true":
        pytest.fail(hint)
    pytest.skip(hint)


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """An anvil of its own; its address."""
    command = [
        str(anvil_program()),
        *("--port", "0", "--timestamp", str(GENESIS), "--accounts", "4", *arguments),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if listening := re.search(r"Listening on (\S+)", line):
                    # It tells of every request, and stands still when nobody reads that.
                    rest = threading.Thread(target=deque, args=(process.stdout, 0), daemon=True)
                    rest.start()
                    yield f"http://{listening[1]}"
                    return
            pytest.fail(f"anvil ended with {process.wait()} before it listened")
        finally:
            process.terminate()


def artifact(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((MODULES / f"{name}.json").read_text(encoding="utf-8"))
    return content


class Evm:
    """One machine: an account that does everything, tokens, pools, and the chain's own answers."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = Session()
        self.web3 = Web3(HTTPProvider(address, {"timeout": 10}, session=self._session))
        self.accounts = self.web3.eth.accounts
        self.me = self.accounts[0]
        self.ask("anvil_setBlockTimestampInterval", BLOCK_SECONDS)

    def ask(self, method: str, *parameters: Any) -> Any:
        answer = self.web3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
        assert "error" not in answer, answer
        return answer["result"]

    def close(self) -> None:
        self._session.close()

    @property
    def height(self) -> int:
        return int(self.web3.eth.block_number)

    def mine(self, blocks: int = 1) -> None:
        self.ask("anvil_mine", hex(blocks), hex(BLOCK_SECONDS))

    def reorg(self, depth: int) -> None:
        """The last ``depth`` blocks are replaced by empty ones: same heights, other hashes."""
        self.ask("anvil_reorg", depth, [])

    def send(self, call: Any, **fields: Any) -> Any:
        """Carry a transaction out in a block of its own; its receipt."""
        sent = call.transact({"from": self.me, "gas": 6_000_000, **fields})
        receipt = self.receipt(sent)
        assert receipt["status"] == 1
        return receipt

    def receipt(self, transaction: Any) -> Any:
        return self.web3.eth.wait_for_transaction_receipt(transaction, 10, poll_latency=0.01)

    def pay(self, recipient: str, wei: int, **fields: Any) -> Any:
        paid: Any = {"from": self.me, "to": recipient, "value": wei, "gas": 100_000, **fields}
        return self.receipt(self.web3.eth.send_transaction(paid))

    def deploy(self, name: str, *arguments: Any, bytecode: str = "") -> Any:
        made = artifact(name)
        code = bytecode or made["bytecode"]
        contract = self.web3.eth.contract(abi=made["abi"], bytecode=code)
        sent = contract.constructor(*arguments).transact({"from": self.me, "gas": 12_000_000})
        return self.at(name, self.receipt(sent)["contractAddress"])

    def at(self, name: str, address: str) -> Any:
        return self.web3.eth.contract(address=address, abi=artifact(name)["abi"])  # type: ignore[call-overload]

    def token(self, name: str, decimals: int = 18) -> Any:
        """A token of 10^24 units, all ours."""
        code = artifact(TOKEN)["bytecode"]
        if decimals != 18:
            # The preset knows 18 alone; this is the constant that its decimals() returns.
            assert code.count("604051601281526020") == 1
            code = code.replace("604051601281526020", f"60405160{decimals:02x}81526020")
        supply = 10 ** (24 + decimals)
        token = self.deploy(TOKEN, name, name, supply, self.me, bytecode=code)
        assert token.functions.decimals().call() == decimals
        return token


class VersionTwoPool:
    """A pair with reserves; swaps go to the pair itself, as a router would send them."""

    def __init__(self, evm: Evm, base: Any, quote: Any, reserves: tuple[int, int]) -> None:
        self.evm, self.base, self.quote = evm, base, quote
        factory = evm.deploy(f"{V2}/UniswapV2Factory", evm.me)
        evm.send(factory.functions.createPair(base.address, quote.address))
        self.address = factory.functions.getPair(base.address, quote.address).call()
        self.pair = evm.at(f"{V2}/UniswapV2Pair", self.address)
        self.base_first = self.pair.functions.token0().call() == base.address
        for token, amount in zip((base, quote), reserves, strict=True):
            evm.send(token.functions.transfer(self.address, amount))
        evm.send(self.pair.functions.mint(evm.me))

    def reserves(self, block: int | str = "latest") -> tuple[int, int]:
        """Of base and quote."""
        first, second, _ = self.pair.functions.getReserves().call(block_identifier=block)
        return (first, second) if self.base_first else (second, first)

    def sell(self, amount: int) -> Any:
        return self._swap(self.base, amount, *self.reserves())

    def buy(self, amount_quote: int) -> Any:
        base, quote = self.reserves()
        return self._swap(self.quote, amount_quote, quote, base)

    def _swap(self, paid: Any, amount: int, reserve_in: int, reserve_out: int) -> Any:
        self.evm.send(paid.functions.transfer(self.address, amount))
        with_fee = amount * 997
        out = with_fee * reserve_out // (reserve_in * 1000 + with_fee)
        first = (paid == self.quote) == self.base_first
        outs = (out, 0) if first else (0, out)
        return self.evm.send(self.pair.functions.swap(*outs, self.evm.me, b""))


class VersionThreePool:
    """A pool made and provided by the periphery's own contracts, and swapped through its router."""

    def __init__(self, evm: Evm, base: Any, quote: Any, sqrt_price: int, amounts: Any) -> None:
        self.evm, self.base, self.quote = evm, base, quote
        self.tokens = sorted((base, quote), key=lambda one: int(one.address, 16))
        factory = evm.deploy(f"{V3}/UniswapV3Factory.sol/UniswapV3Factory")
        self.manager = evm.deploy(
            f"{V3_PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager",
            *(factory.address, NOBODY, NOBODY),
        )
        self.router = evm.deploy(
            f"{V3_PERIPHERY}/SwapRouter.sol/SwapRouter", factory.address, NOBODY
        )
        ends = [one.address for one in self.tokens]
        evm.send(self.manager.functions.createAndInitializePoolIfNecessary(*ends, 3000, sqrt_price))
        self.address = factory.functions.getPool(*ends, 3000).call()
        self.pool = evm.at(f"{V3}/UniswapV3Pool.sol/UniswapV3Pool", self.address)
        for token in self.tokens:
            for spender in (self.manager, self.router):
                evm.send(token.functions.approve(spender.address, 2**255))
        self.provide(-887_220, 887_220, *amounts)

    def provide(self, lower: int, upper: int, amount0: int, amount1: int) -> Any:
        ends = [one.address for one in self.tokens]
        wanted = (*ends, 3000, lower, upper, amount0, amount1, 0, 0, self.evm.me, 2**40)
        return self.evm.send(self.manager.functions.mint(wanted))

    def withdraw(self, position: int, liquidity: int) -> Any:
        wanted = (position, liquidity, 0, 0, 2**40)
        return self.evm.send(self.manager.functions.decreaseLiquidity(wanted))

    def swap(self, paid: Any, amount: int) -> Any:
        got = self.quote if paid == self.base else self.base
        wanted = (paid.address, got.address, 3000, self.evm.me, 2**40, amount, 0, 0)
        return self.evm.send(self.router.functions.exactInputSingle(wanted))

    def sqrt_price(self, block: int | str = "latest") -> int:
        return int(self.pool.functions.slot0().call(block_identifier=block)[0])

    def liquidity(self, block: int | str = "latest") -> int:
        return int(self.pool.functions.liquidity().call(block_identifier=block))
