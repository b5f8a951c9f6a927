"""Two textbook distributions, in the standard library's mathematics alone.

scipy would bring 60 MB for two functions; it is the oracle in the tests instead.
"""

from __future__ import annotations

import math

_TINY = 1e-300
_PRECISION = 1e-15


def normal_cdf(x: float) -> float:
    """Phi(x), by the complementary error function so that the lower tail keeps its digits."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def student_two_sided(t: float, freedom: float) -> float:
    """P(|T| >= |t|) for Student's t with ``freedom`` > 0: I_{v / (v + t^2)}(v / 2, 1 / 2)."""
    if freedom <= 0:
        raise ValueError(f"freedom was {freedom}, must be above 0")
    return incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised I_x(a, b), 0 <= x <= 1, by Lentz's continued fraction.

    Press et al., Numerical Recipes (2007), 6.4; the symmetric form keeps it in its fast half.
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    logarithm = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    front = math.exp(logarithm)
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _continued_fraction(x, a, b) / a
    return 1.0 - front * _continued_fraction(1.0 - x, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    c = 1.0
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    fraction = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        step = 1.0
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            step = c * d
            fraction *= step
        if abs(step - 1.0) < _PRECISION:
            return fraction
    raise ArithmeticError(f"I_{x}({a}, {b}) did not converge")


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def normal_quantile(p: float) -> float:
    """The x with Phi(x) = p, 0 < p < 1 (Wichura 1988, as the standard library has it)."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)
