"""``mirrorcore exchange serve``: told where it is, reached by the client, ended by Ctrl-C."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from typing import Any

import pexpect
import pytest
from command_calls import Caller, in_terminal, plain


def test_what_is_shown_is_what_the_client_needs() -> None:
    child = in_terminal(
        "exchange", "serve", "--port", "0", "--symbols", "BTC/USDT", "--history", "1m"
    )
    child.expect(r"ccxt\.pro\.binance\(")
    child.expect("Ctrl-C ends it")
    shown = ast.literal_eval(plain(child.before).strip().removesuffix(")").strip())

    async def balance() -> Any:
        import ccxt.pro

        venue = ccxt.pro.binance(shown)
        try:
            await venue.load_markets()
            return await venue.fetch_balance()
        finally:
            await venue.close()

    assert asyncio.run(balance())["USDT"]["free"] == 100_000.0
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert "served 2 requests" in plain(child.before)
    assert "Traceback" not in plain(child.before)
    assert child.exitstatus == 0


def test_it_ends_by_itself_and_says_what_it_did(call: Caller, tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nkind = "clock_offset"\nseconds = 1\n')
    served = call(
        "exchange", "serve", "--port", "0", "--symbols", "ETH/USDT", "--history", "1m",
        "--seconds", "0.3", "--faults", str(faults), "--json", runs=False,
    )  # fmt: skip
    assert served.code == 0
    assert served.document["rest"].endswith("/api/v3")
    assert served.document["trades"]["ETH/USDT"] > 20
    assert served.document["faults"] == {"clock_offset": 1}
    assert served.document["requests"] == 0
    assert "import ccxt.pro" in served.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--symbols", ""), "lists no symbol"),
        (("--symbols", "BTC/USDT:USDT"), "derivative"),
        (("--speed", "0"), "speed was 0"),
        (("--port", "65536"), "port was 65536"),
        (("--history", "soon"), "--history was 'soon'"),
        (("--faults", "none.toml"), "none.toml: No such file"),
        (("--host", "0.0.0.0"), "no secret"),
        (("--key", "mine"), "belong together"),
        (("--seconds", "-1"), "--seconds was -1"),
        (("--seconds", "inf"), "--seconds was inf"),
    ],
)
def test_a_call_that_cannot_be_served_says_why(
    call: Caller, options: tuple[str, ...], says: str
) -> None:
    refused = call("exchange", "serve", *options, runs=False)
    assert (refused.code, says in refused.err) == (2, True)
