"""All measures of one observation, and those that set two beside each other, by the names of the register."""

from __future__ import annotations

import numpy as np
from perpsim.replay.realism import memory, profiles, recovery, response, returns, tails
from perpsim.replay.realism.observe import LEVELS, Observation
from perpsim.replay.realism.resample import NOTHING, Estimate, interval

SECOND = 1_000_000_000
LONG_RETURN = 65 * 60  # seconds
RESPONSE_LAGS = (1, 10, 50)
HOUR_NS = 3600 * SECOND


class Seconds:
    """An observation on whole seconds: arrays of one length; prices and depths as they stood, lots since the last."""

    def __init__(self, seen: Observation):
        times = seen.grid(SECOND)
        place = np.searchsorted(seen.time_ns, times, side="right") - 1
        times, place = times[place >= 0], place[place >= 0]
        self.time_ns = times
        self.mid = seen.mid[place]
        self.spread = (seen.ask - seen.bid)[place] / self.mid * 10_000
        self.bid_lots, self.ask_lots = seen.bid_lots[place], seen.ask_lots[place]
        self.imbalance = profiles.imbalance(self.bid_lots, self.ask_lots)
        traded = np.concatenate([[0], np.cumsum(seen.trade_lots)])
        until = traded[np.searchsorted(seen.trade_ns, times, side="right")]
        self.volume = np.diff(until, prepend=until[:1]).astype(float)
        self.hour = times // HOUR_NS % 24


def alone(seen: Observation) -> dict[str, Estimate]:
    """Measures of one observation."""
    if len(seen.time_ns) < 2:
        return {}
    seconds = Seconds(seen)
    one = returns.log_returns(seconds.mid)
    lots = np.concatenate([seconds.bid_lots, seconds.ask_lots]).astype(float)
    found = {
        "return-acf-65min": returns.autocorrelation(returns.log_returns(seconds.mid, LONG_RETURN), 1),
        "tail-index": tails.tail_index(one),
        "kurtosis-fall": returns.kurtosis_fall(seconds.mid, 1, 10),
        "clustering": returns.clustering(one, range(1, 21)),
        "hurst": memory.hurst(one),
        "return-acf-1s": returns.autocorrelation(one, 1),
        "return-acf-10s": returns.autocorrelation(one, 10),
        "return-acf-60s": returns.autocorrelation(returns.log_returns(seconds.mid, 60), 1),
        "volume-volatility": returns.volume_volatility(np.diff(np.log(seconds.mid)), seconds.volume[1:]),
        "sign-acf": memory.sign_correlation(seen.trade_sign),
        "sign-decay": memory.sign_decay(seen.trade_sign),
        "spread-bp": interval(np.mean, seconds.spread),
        "depth-lots": interval(np.mean, lots),
    }
    for steps in (1, 10, 60):
        found[f"kurtosis-{steps}s"] = returns.kurtosis(returns.log_returns(seconds.mid, steps))
    return found | _recovery(seen)


def _recovery(seen: Observation) -> dict[str, Estimate]:
    sides = [recovery.recoveries(lots, seen.time_ns) for lots in (seen.bid_lots, seen.ask_lots)]
    updates, seconds = (np.concatenate(each) for each in zip(*sides, strict=True))
    seconds_per_mode, _ = recovery.mode_of_times(seen.time_ns)
    mode = Estimate(seconds_per_mode, np.nan, np.nan, len(seen.time_ns)) if seconds_per_mode > 0 else NOTHING
    return {
        "resilience-updates": interval(np.median, updates),
        "resilience-seconds": interval(np.median, seconds),
        "event-mode": mode,
    }


def between(ours: Observation, theirs: Observation) -> dict[str, Estimate]:
    """Distances of a run from the recorded day."""
    a, b = Seconds(ours), Seconds(theirs)
    found = {}
    for kind in ("l1", "w1"):
        found[f"spread-{kind}"] = profiles.distance(kind, a.spread, b.spread)
        found[f"imbalance-{kind}"] = profiles.distance(kind, a.imbalance, b.imbalance)
        for name in ("spread", "imbalance"):
            values = getattr(a, name), a.volume, getattr(b, name), b.volume
            found[f"{name}-given-volume-{kind}"] = profiles.conditional_distance(kind, *values)
        if len(np.unique(b.hour)) > 1:
            hours = a.spread, a.hour, b.spread, b.hour
            found[f"spread-given-hour-{kind}"] = profiles.conditional_distance(kind, *hours, bins=24)
        for side, name in enumerate(("bid", "ask")):
            each = [
                profiles.distance(kind, ours.depth[:, side, level], theirs.depth[:, side, level])
                for level in range(LEVELS)
            ]
            means = np.array(each)[:, :3].mean(axis=0)
            found[f"depth-{name}-{kind}"] = Estimate(*(float(mean) for mean in means), each[0].n)
    return found


def responses(seen: Observation) -> dict[str, dict[str, tuple[float, float, int]]]:
    """Price response in ticks by kind of event, for some lags in events; see response.py."""
    if len(seen.time_ns) < 100:
        return {}
    bought, sold = (_traded_between(seen, sign) for sign in (1, -1))
    kind, sign, moving = response.events_of(seen.bid, seen.bid_lots, seen.ask, seen.ask_lots, bought, sold)
    return {f"{lag}": response.table(seen.mid, kind, sign, moving, lag) for lag in RESPONSE_LAGS}


def _traded_between(seen: Observation, sign: int) -> np.ndarray:
    """Whether a taker of that sign traded after quote i and not later than quote i + 1: array of n - 1."""
    times = seen.trade_ns[seen.trade_sign == sign]
    return np.diff(np.searchsorted(times, seen.time_ns, side="right")) > 0
