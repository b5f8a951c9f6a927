"""Where requests are answered, whichever way they came: weights, keys, then the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mirrorcore.exchange.accounts import Account
from mirrorcore.exchange.authentication import Keyring, Signed
from mirrorcore.exchange.public import PublicRequests
from mirrorcore.exchange.query import Query
from mirrorcore.exchange.refusals import RefusalError
from mirrorcore.exchange.trading import SignedAnswer, TradingRequests
from mirrorcore.exchange.venue import Venue
from mirrorcore.exchange.weights import Weights


class Desk:
    """``catch_up`` brings the market to the present; ``shown`` is the time that is told, in ms."""

    def __init__(
        self,
        venue: Venue,
        public: PublicRequests,
        trading: TradingRequests,
        keyring: Keyring,
        weights: Weights,
        catch_up: Callable[[], int],
        shown: Callable[[int], int],
    ) -> None:
        self._venue, self._public, self._keyring = venue, public, keyring
        self._weights, self._shown = weights, shown
        self.catch_up = catch_up
        self._signed: dict[tuple[str, str], tuple[SignedAnswer, int]] = {
            ("POST", "order"): (trading.place, 1),
            ("POST", "order/test"): (trading.test, 1),
            ("DELETE", "order"): (trading.cancel, 1),
            ("GET", "order"): (trading.status, 4),
            ("GET", "openOrders"): (trading.open_orders, 6),
            ("DELETE", "openOrders"): (trading.cancel_all, 1),
            ("GET", "allOrders"): (trading.all_orders, 20),
            ("GET", "myTrades"): (trading.own_trades, 20),
            ("GET", "account"): (trading.account, 20),
        }

    def query(self, given: Mapping[str, str]) -> Query:
        return Query(given, self._venue.markets)

    def is_public(self, method: str, path: str) -> bool:
        return method == "GET" and path in self._public.answers

    def is_signed(self, method: str, path: str) -> bool:
        return (method, path) in self._signed

    def public_answer(self, path: str, query: Query, address: str, now: int) -> tuple[Any, int]:
        """The answer, and the weight the address has used; RefusalError where it is refused."""
        answer, weight = self._public.answers[path]
        used = self._weights.use(address, weight(query), now)
        return answer(query), used

    def signed_answer(
        self, method: str, path: str, signed: Signed, query: Query, address: str, now: int
    ) -> tuple[Any, int]:
        """The same for a request that has to be signed."""
        answer, weight = self._signed[method, path]
        used = self._weights.use(address, weight, now)
        return answer(self.account(signed, query, now), query), used

    def account(self, signed: Signed, query: Query, now: int) -> Account:
        """Who signed a request."""
        return self._keyring.authenticated(signed, query, self._shown(now))


def unknown(method: str, path: str) -> RefusalError:
    return RefusalError(-1000, f"There is no {method} {path} here.", status=404)
