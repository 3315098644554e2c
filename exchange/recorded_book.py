"""How a recorded book reacts to simulated flow, as rules of a market: resilience of what was eaten, lasting impact.

The engine knows steps and integer tables only; here they are made of half-lives and of the constants of the field, in
exact decimal arithmetic, so that the same settings give the same tables on every machine.
"""

from decimal import Context, Decimal
from fractions import Fraction

from .units import RATE_ONE

RESILIENCE_STEPS = 16  # of a half-life in time
KERNEL_STEPS_MAX = 4_096  # of an impact
LAW_STEPS = 30  # for metaorders of up to so many steps the square-root law is best met
BETA_MIN, BETA_MAX = Decimal("0.5"), Decimal("0.8")
LOTS_MAX = 1 << 40  # of a level
EXACT = Context(prec=40)


def resilience(half_life_ns: int = 0, updates: int = 0) -> dict[str, int]:
    """Market rules with which half of what takers ate of a recorded book comes back in a time or in quote updates.

    In time by RESILIENCE_STEPS steps; both 0: nothing comes back but by history.
    """
    if half_life_ns:
        return {"resilience_step_ns": half_life_ns // RESILIENCE_STEPS, "resilience_keep": _root(RESILIENCE_STEPS)}
    return {"resilience_quotes": 1, "resilience_keep": _root(updates)} if updates else {}


def beyond(lots: Fraction, slope: Fraction, ticks: int) -> dict[str, int]:
    """Market rules of what stands behind the last recorded level: lots * (1 + slope * n) at level n, from 0.

    Raises ValueError for less than a lot, or more lots than can be counted.
    """
    if lots < 1:
        raise ValueError("is less than one lot")
    if lots * (1 + slope * ticks) > LOTS_MAX:
        raise ValueError("the outermost level would hold more lots than can be counted")
    return {"beyond_lots": int(lots), "beyond_slope": int(lots * slope * RATE_ONE), "beyond_ticks": ticks}


def impact(
    *, coefficient: Decimal, volatility: Decimal, volume_lots: Decimal, beta: Decimal = Decimal("0.6"),
    permanent: Decimal = Decimal(0), memory: Decimal = Decimal(600), step_ns: int = 10**9, index_share: int = 0,
) -> dict[str, int | tuple[int, ...]]:  # fmt: skip
    """Market rules of a lasting impact: a metaorder of Q lots moves prices by coefficient * volatility * sqrt(Q / V).

    V (volume_lots) and volatility are of a day, memory is seconds; index_share (1e-9) moves recorded indices too. The
    law and its coefficient, about one half: Toth and others, "Anomalous price impact", 2011. Each step's flow has the
    law of its own; it decays by k ** -beta, k steps later. The sum over n steps of equal flow then grows as
    n ** (1 - beta), hardly faster than the root, so that the number of steps matters little; see `_reach`. A decay
    slower than the root's own, beta below 1/2, would let a round trip earn money (Gatheral, "No-dynamic-arbitrage and
    market impact", 2010). A share `permanent` of the law holds for the net flow for good.
    Raises ValueError for a beta below 0.5 or above 0.8, a memory of no step or of more than KERNEL_STEPS_MAX.
    """
    steps = int(memory * 10**9 / step_ns)
    if not 1 <= steps <= KERNEL_STEPS_MAX:
        raise ValueError(f"a memory of {memory} s is {steps} steps; 1 to {KERNEL_STEPS_MAX} are possible")
    if not BETA_MIN <= beta <= BETA_MAX:
        raise ValueError(f"a beta of {beta} does not give the square-root law; state {BETA_MIN} to {BETA_MAX}")
    decay = [EXACT.power(k, -beta) for k in range(1, steps + 1)]
    reach = _reach(decay)
    factor = coefficient * volatility * EXACT.sqrt(1_000_000 / volume_lots)
    return {
        "impact_step_ns": step_ns,
        "impact_factor": int(factor * RATE_ONE),
        "impact_permanent": int(permanent * RATE_ONE),
        "impact_index": index_share,
        "impact_kernel": tuple(int((1 - permanent) * share / reach * RATE_ONE) for share in decay),
    }


def _reach(decay: list[Decimal]) -> Decimal:
    """What metaorders of flow 1 come to without scaling: middle of the lowest and the highest of some.

    They are in 1, 3, 10 and 30 steps, spread evenly over LAW_STEPS. With beta 0.6 these are 1, 0.81, 0.95 and 1.43.
    """
    found = []
    for n in (1, 3, 10, LAW_STEPS):
        places = [LAW_STEPS * j // n for j in range(n)]
        ages = [places[-1] - each for each in places]
        found.append(EXACT.divide(sum(decay[age] for age in ages if age < len(decay)), EXACT.sqrt(Decimal(n))))
    return (min(found) + max(found)) / 2


def _root(steps: int) -> int:
    """The largest rate whose `steps`-th power is at most one half."""
    low, high = 0, RATE_ONE
    while high - low > 1:
        middle = (low + high) // 2
        if 2 * middle**steps <= RATE_ONE**steps:
            low = middle
        else:
            high = middle
    return low
