"""How many ns does one order-flow command take, matched, settled, reported and digested?

`python -m bench.flow FILE.npy [--plain | --margined] [--passes N] [--batch N] [--audit N]` feeds a recorded flow
through `Engine.apply` and prints one JSON line. FILE has rows (op, order_id, side, price_tick, qty): op 0 adds a limit
order, 1 cancels a live one, 2 is a marketable order that always fills whole.

--plain     one account with more money than the flow can need
--margined  account = order_id mod 1,000, mark fixed at 100,000, margin held and released, fees and positions

Self-trade prevention is off. Only the time inside `apply` counts; the last of N passes is printed.
`trade_hash` is FNV-1a over (maker id, price, size) of each trade.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from perpsim.core import COMMAND, Engine, EventKind, Kind, Side, Tif
from perpsim.exchange import Rulebook, Tier, contract

MARK_TICKS = 100_000
VALUE_ONE = 100_000_000
RICH = 80_000_000_000 * VALUE_ONE
WEALTHY = 1_000_000_000 * VALUE_ONE


def rules() -> Rulebook:
    """A market of tick 0.1 and lot 0.001 with five brackets; no bands, so that the flow decides every price."""
    caps = [(300_000, 4, 0, 125), (3_000_000, 10, 1_800, 100), (30_000_000, 25, 46_800, 50)]
    tiers = [Tier(cap * VALUE_ONE, rate * 1_000_000, cut * VALUE_ONE, leverage) for cap, rate, cut, leverage in caps]
    tiers.append(Tier(10_000_000_000 * VALUE_ONE, 50_000_000, 796_800 * VALUE_ONE, 20))
    market = contract(
        "FLOW", "0.1", "0.001", 10_000, tiers=tuple(tiers), maker_fee=200_000, taker_fee=500_000, max_orders=60_000
    )
    return Rulebook(name="bench", date="2026-01-01", era="2026-01-01", markets=(market,))


def commands_of(flow: np.ndarray, accounts: int) -> np.ndarray:
    """The flow as COMMAND rows for `accounts` accounts."""
    commands = np.zeros(len(flow), COMMAND)
    commands["kind"] = np.where(flow["op"] == 1, Kind.CANCEL, Kind.PLACE)
    commands["order_id"] = flow["order_id"]
    commands["account"] = flow["order_id"] % accounts
    commands["side"] = flow["side"]
    commands["price_ticks"] = flow["price_tick"]
    commands["size_lots"] = flow["qty"]
    commands["tif"] = np.where(flow["op"] == 2, Tif.IOC, Tif.GTC)
    return commands


def prepared_engine(accounts: int, wealth: int, audit: int = 1) -> Engine:
    book = rules()
    engine = Engine(book, book.markets, accounts, audit=audit)
    for account in range(accounts):
        engine.submit(kind=Kind.DEPOSIT, account=account, value=wealth)
    engine.submit(kind=Kind.SET_MARK, market=0, value=MARK_TICKS * book.markets[0].tick_value)
    engine.drain()
    return engine


def run_flow(flow: np.ndarray, margined: bool, batch: int, audit: int = 1) -> tuple[Engine, float, np.ndarray]:
    """One pass: the engine afterwards, the seconds spent in `apply`, and the trade events."""
    accounts = 1_000 if margined else 1
    commands = commands_of(flow, accounts)
    engine = prepared_engine(accounts, WEALTHY if margined else RICH, audit)
    seconds, trades, refused = 0.0, [], 0
    for start in range(0, len(commands), batch):
        part = commands[start : start + batch]
        before = time.perf_counter()
        events = engine.apply(part)
        seconds += time.perf_counter() - before
        kinds = events["kind"]
        refused += int((kinds == EventKind.REJECTED).sum())
        trades.append(events[kinds == EventKind.TRADE])
        del events
    if refused:
        raise SystemExit(f"{refused} commands were refused; the flow is not of the kind that this bench expects")
    return engine, seconds, np.concatenate(trades)


def trade_hash(trades: np.ndarray) -> str:
    """FNV-1a over (maker id, price, size)."""
    value, mask = 1469598103934665603, (1 << 64) - 1
    for row in zip(*(trades[name].tolist() for name in ("maker_order_id", "price_ticks", "size_lots")), strict=True):
        for number in row:
            value = ((value ^ number) * 1099511628211) & mask
    return f"{value:016x}"


def report(flow: np.ndarray, margined: bool, passes: int, batch: int, audit: int = 1) -> dict:
    times = []
    for _ in range(passes):
        engine, seconds, trades = run_flow(flow, margined, batch, audit)
        times.append(seconds)
    bids, asks = engine.book(0, Side.BUY), engine.book(0, Side.SELL)
    return {
        "setting": "margined" if margined else "plain",
        "ns_per_op": round(times[-1] / len(flow) * 1e9, 1),
        "ns_per_op_best": round(min(times) / len(flow) * 1e9, 1),
        "commands": len(flow),
        "trades": len(trades),
        "volume": int(trades["size_lots"].sum()),
        "trade_hash": trade_hash(trades),
        "live_end": engine.statistics()["live_orders"],
        "best_bid": int(bids[0, 0]) if len(bids) else None,
        "best_ask": int(asks[0, 0]) if len(asks) else None,
        "engine_digest": engine.digest(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.flow", description=__doc__.splitlines()[0])
    parser.add_argument("file", help="flow written as .npy")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--plain", action="store_true", help="one rich account (default)")
    mode.add_argument("--margined", action="store_true", help="1,000 accounts with margin, fees and positions")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4096, help="commands in one call of apply")
    parser.add_argument("--audit", type=int, default=1, choices=(0, 1, 2), help="0: none, 1: batches, 2: commands")
    options = parser.parse_args()
    flow = np.load(options.file)
    print(json.dumps(report(flow, options.margined, options.passes, options.batch, options.audit)))


if __name__ == "__main__":
    main()
