"""How a recorded book reacts to simulated flow, as rules of a market: resilience of what was eaten, lasting impact.

The engine knows steps and integer tables only; here they are made of half-lives and of the constants of the field, in
exact decimal arithmetic, so that the same settings give the same tables on every machine.
"""

from decimal import Context, Decimal

from .units import RATE_ONE

RESILIENCE_STEPS = 16  # of a half-life in time
KERNEL_STEPS_MAX = 4_096  # of an impact
EXACT = Context(prec=40)


def resilience(half_life_ns: int = 0, updates: int = 0) -> dict[str, int]:
    """Market rules with which half of what takers ate of a recorded book comes back in a time or in quote updates.

    In time by RESILIENCE_STEPS steps; both 0: nothing comes back but by history.
    """
    if half_life_ns:
        return {"resilience_step_ns": half_life_ns // RESILIENCE_STEPS, "resilience_keep": _root(RESILIENCE_STEPS)}
    return {"resilience_quotes": 1, "resilience_keep": _root(updates)} if updates else {}


def impact(
    *, coefficient: Decimal, volatility: Decimal, volume_lots: Decimal, tau: Decimal, beta: Decimal,
    permanent: Decimal = Decimal(0), memory: Decimal = Decimal(600), step_ns: int = 10**9, index_share: int = 0,
) -> dict[str, int | tuple[int, ...]]:  # fmt: skip
    """Market rules of a lasting impact I = coefficient * volatility * sqrt(Q / volume) that decays by a power law.

    G(t) = (1 - permanent) * (1 + t / tau) ** -beta + permanent, by steps, for `memory` seconds; then `permanent`.
    volatility and volume_lots are of a day; tau and memory are seconds; index_share (1e-9) moves recorded indices too.
    The square-root law and its coefficient, about one half: Toth and others, "Anomalous price impact", 2011. Raises
    ValueError for a memory of no step or of more than KERNEL_STEPS_MAX.
    """
    steps = int(memory * 10**9 / step_ns)
    if not 1 <= steps <= KERNEL_STEPS_MAX:
        raise ValueError(f"a memory of {memory} s is {steps} steps; 1 to {KERNEL_STEPS_MAX} are possible")
    seconds = Decimal(step_ns) / 10**9
    kernel = [
        (1 - permanent) * EXACT.power(1 + k * seconds / tau, -beta) + permanent for k in range(steps - 1)
    ] + [permanent]  # fmt: skip
    factor = coefficient * volatility * EXACT.sqrt(1_000_000 / volume_lots)
    return {
        "impact_step_ns": step_ns,
        "impact_factor": int(factor * RATE_ONE),
        "impact_index": index_share,
        "impact_kernel": tuple(int(share * RATE_ONE) for share in kernel),
    }


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
