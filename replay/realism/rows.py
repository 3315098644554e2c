"""The register of the realism card: every row, its formula, its band and where the band is from.

A band stands here before anything is graded by it; rows without one are reported only. docs/REALISM.md says more.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

CONT = "Cont 2001, Empirical properties of asset returns"
GRADED, REPORTED = "graded", "reported"


@dataclass(frozen=True)
class Row:
    """A measure. band: (lowest, highest) allowed; None: reported only.

    compares  the run with the recorded day, so there is no value of the recorded day alone
    probe     needs metaorders
    always    a replay without accounts passes by construction, whatever the recording
    """

    name: str
    title: str
    formula: str
    band: tuple[float, float] | None = None
    source: str = ""
    compares: bool = False
    probe: bool = False
    always: bool = False


ROWS = (
    Row("return-acf-65min", "return autocorrelation, 65 min", "corr(r_t, r_(t+1)), r over 65 min", (-0.05, inf),
        "register of tradefloor: at least -0.05"),
    Row("tail-index", "tail index of 1 s returns", "Hill: k / sum ln(x_(i) / x_(k+1)), k: 5 % of |r|", (2.0, 3.0),
        "arXiv 2009.06874: Bitcoin about 2 earlier, about 3 later"),
    Row("kurtosis-fall", "kurtosis, 1 s less 10 s", "excess kurtosis of r over 1 s less that over 10 s", (0.0, inf),
        f"{CONT}: falls with the horizon"),
    Row("clustering", "volatility clustering", "mean of corr(|r_t|, |r_(t+k)|), k = 1 to 20 s", (0.0, inf),
        f"{CONT}: positive, slow to decay"),
    Row("hurst", "Hurst exponent of 1 s returns", "slope of ln F(s) on ln s, DFA, s from 8 s", (0.42, 0.49),
        "arXiv 2402.11930: BTC 0.42 in 2019-20, 0.49 in 2021-22"),
    Row("impact-delta", "impact exponent", "delta of I / sigma_D = c (Q / V_D)^delta", (0.4, 0.7),
        "register of tradefloor; 0.5 after Toth et al. 2011", probe=True),
    Row("impact-coefficient", "impact coefficient", "c of the same fit", (0.33, 0.67),
        "register of tradefloor", probe=True),
    Row("impact-scrambled", "identity scrambling", "delta with the children's accounts permuted, less delta",
        (0.0, 0.0), "arXiv 2502.16246: unchanged", compares=True, probe=True, always=True),
    Row("return-acf-1s", "return autocorrelation, 1 s", "corr(r_t, r_(t+1)), r over 1 s"),
    Row("return-acf-10s", "  1 s, lag 10", "corr(r_t, r_(t+10))"),
    Row("return-acf-60s", "  60 s", "corr(r_t, r_(t+1)), r over 60 s"),
    Row("kurtosis-1s", "excess kurtosis, 1 s", "m4 / m2^2 - 3"),
    Row("kurtosis-10s", "  10 s", "the same over 10 s"),
    Row("kurtosis-60s", "  60 s", "the same over 60 s"),
    Row("volume-volatility", "volume and volatility", "corr(|r_t|, lots traded in the second)"),
    Row("sign-acf", "signs of takers, lag 1", "C(1) of +1 bought, -1 sold"),
    Row("sign-decay", "  decay of their memory", "gamma of C(l) ~ l^-gamma, l = 1 to 55 orders"),
    Row("spread-bp", "spread, bp", "mean of (ask - bid) / mid at whole seconds"),
    Row("depth-lots", "lots at the best prices", "mean of bid and ask lots at whole seconds"),
    Row("resilience-updates", "resilience, updates", "median best-quote updates from a hit to within 1 s.d.",
        source="about 20 for equities"),
    Row("resilience-seconds", "  seconds", "the same in seconds"),
    Row("event-mode", "waiting time, mode, s", "fullest of ten bins a decade of times between quote changes",
        source="arXiv 2603.24137: at the exchange's round trip"),
    Row("impact-root", "impact / square-root law", "sum of I / sigma_D over sum of 0.5 sqrt(Q / V_D)",
        source="1, by the register of tradefloor", probe=True),
    Row("impact-kept", "impact kept", "I(2T) / I(T)", source="about 2/3 is often quoted, without a source", probe=True),
    *(
        Row(f"{name}-{kind}", f"{title}, {kind.upper()}", f"{KIND} of run and recorded day", compares=True, always=True)
        for name, title in (
            ("spread", "spread"),
            ("spread-given-volume", "  given the second's volume"),
            ("spread-given-hour", "  given the hour"),
            ("imbalance", "imbalance"),
            ("imbalance-given-volume", "  given the second's volume"),
            ("depth-bid", "bid depth, mean of 10 levels"),
            ("depth-ask", "ask depth, mean of 10 levels"),
        )
        for kind, KIND in (("l1", "half the L1 distance of histograms"), ("w1", "Wasserstein-1, in s.d."))
    ),
)  # fmt: skip
BY_NAME = {row.name: row for row in ROWS}


def verdict(row: Row, value: float, low: float, high: float) -> str:
    """pass: the whole interval is in the band; fail: none of it; open: the data do not decide; "" without a value."""
    if row.band is None or value != value:
        return ""
    bottom, top = row.band
    if bottom <= low and high <= top:
        return "pass"
    return "open" if low <= top and high >= bottom else "fail"
