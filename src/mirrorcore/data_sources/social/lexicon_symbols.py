"""Which assets a title is about: names and tickers, with care for those that are English words."""

from __future__ import annotations

import re

PLAIN = {
    "bitcoin": "BTC", "bitcoins": "BTC", "btc": "BTC", "xbt": "BTC", "satoshi": "BTC",
    "ethereum": "ETH", "ether": "ETH", "eth": "ETH", "eth2": "ETH", "wrapped bitcoin": "WBTC",
    "bitcoin cash": "BCH", "bch": "BCH", "bitcoin sv": "BSV", "bsv": "BSV", "bitcoin gold": "BTG",
    "ethereum classic": "ETC", "litecoin": "LTC", "ltc": "LTC", "ripple": "XRP", "xrp": "XRP",
    "dogecoin": "DOGE", "doge": "DOGE", "shiba inu": "SHIB", "shib": "SHIB", "cardano": "ADA",
    "solana": "SOL", "polkadot": "DOT", "kusama": "KSM", "chainlink": "LINK", "uniswap": "UNI",
    "aave": "AAVE", "polygon": "MATIC", "matic": "MATIC", "bnb": "BNB", "binance coin": "BNB",
    "bnb chain": "BNB", "monero": "XMR", "xmr": "XMR", "zcash": "ZEC", "zec": "ZEC", "tezos": "XTZ",
    "xtz": "XTZ", "eos": "EOS", "algorand": "ALGO", "filecoin": "FIL", "decred": "DCR",
    "dcr": "DCR", "tether": "USDT", "usdt": "USDT", "usdc": "USDC", "usd coin": "USDC",
    "terrausd": "UST", "luna": "LUNA", "luna2": "LUNA", "axie infinity": "AXS", "axs": "AXS",
    "pancakeswap": "CAKE", "apecoin": "APE", "ape coin": "APE", "bored ape": "APE",
    "decentraland": "MANA", "the sandbox": "SAND", "vechain": "VET", "hedera": "HBAR",
    "hbar": "HBAR", "fantom": "FTM", "ftm": "FTM", "thorchain": "RUNE", "sushiswap": "SUSHI",
    "curve dao": "CRV", "yearn finance": "YFI", "yfi": "YFI", "makerdao": "MKR", "mkr": "MKR",
    "stepn": "GMT", "arbitrum": "ARB", "toncoin": "TON", "cronos": "CRO", "dydx": "DYDX",
    "elrond": "EGLD", "internet computer": "ICP", "neo blockchain": "NEO", "trx": "TRX",
    "xlm": "XLM", "celsius network": "CEL", "1inch": "1INCH", "avax": "AVAX",
}  # fmt: skip
"""Names and tickers that mean nothing else, folded, to the base currency."""

TICKERS = {
    "ADA", "SOL", "UST", "ETC", "ALGO", "FIL", "KSM", "VET", "RUNE", "CRV", "EGLD", "ICP", "CRO",
    "CEL", "MANA", "SUSHI", "AXS", "NEO", "DASH", "COMP", "GALA", "ARB", "TON", "ATOM", "APE",
    "CAKE", "DOT", "FLOW", "GMT", "LINK", "NEAR", "ONE", "OP", "SAND", "UNI", "LUNC", "ENS", "GRT",
    "IMX", "JASMY", "CHZ", "ENJ", "BAT", "WAVES", "STX", "LDO", "INJ", "SUI", "APT", "PEPE",
}  # fmt: skip
"""Tickers that spell a word or a name: they count in capitals alone, in a title not all in them."""

GUARDED = {
    "avalanche": "AVAX", "terra": "LUNA", "cosmos": "ATOM", "harmony": "ONE", "near": "NEAR",
    "flow": "FLOW", "optimism": "OP", "stellar": "XLM", "tron": "TRX", "dash": "DASH",
    "maker": "MKR", "compound": "COMP", "waves": "WAVES", "gala": "GALA", "neo": "NEO",
    "celsius": "CEL", "curve": "CRV", "synthetix": "SNX", "sandbox": "SAND", "graph": "GRT",
    "immutable": "IMX", "aptos": "APT", "sui": "SUI",
}  # fmt: skip
"""Names that are words as well: they count beside a ticker in brackets or a word of the trade."""

CUES = {
    "token", "tokens", "coin", "coins", "price", "network", "protocol", "blockchain", "foundation",
    "labs", "ecosystem", "chain", "holders", "tvl", "staking", "wallet", "crypto", "mainnet",
    "trust", "defi", "validators", "bulls", "bears", "x", "classic", "usd",
}  # fmt: skip
"""Words after a guarded name that say an asset is meant."""

_WORD = re.compile(r"\$?[A-Za-z0-9]+(?:['’]s)?")
_LONGEST = max(len(name.split()) for name in PLAIN)


def symbols_of(title: str) -> tuple[str, ...]:
    """Base currencies named in a title, each once, in the order they are named."""
    spelt = [match.group() for match in _WORD.finditer(title)]
    possessive = [word[-2:] in ("'s", "’s") for word in spelt]
    spelt = [word[:-2] if owns else word for word, owns in zip(spelt, possessive, strict=True)]
    folded = [word.lower() for word in spelt]
    shouted = title.upper() == title
    found: dict[str, None] = {}
    place = 0
    while place < len(spelt):
        for length in range(min(_LONGEST, len(spelt) - place), 0, -1):
            symbol = PLAIN.get(" ".join(folded[place : place + length]))
            if symbol is not None:
                break
        else:
            length = 1
            symbol = _guarded(spelt, folded, possessive, place, shouted)
        if symbol is not None:
            found.setdefault(symbol)
        place += length
    return tuple(found)


def _guarded(
    spelt: list[str], folded: list[str], possessive: list[bool], place: int, shouted: bool
) -> str | None:
    """The asset of a word that may be plain English, or none."""
    word = spelt[place]
    if word.startswith("$"):
        ticker = word[1:].upper()
        return ticker if ticker in TICKERS else PLAIN.get(ticker.lower())
    if word in TICKERS and not shouted:
        return word
    symbol = GUARDED.get(folded[place])
    if symbol is None or not word[0].isupper():
        return None
    following = spelt[place + 1] if place + 1 < len(spelt) else ""
    beside = symbol in spelt and symbol.lower() != folded[place]
    if following == symbol or following.lower() in CUES or beside:
        return symbol
    return symbol if possessive[place] and folded[place] in ("terra", "tron", "celsius") else None
