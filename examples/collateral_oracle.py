"""10 October 2025: the same path under four collateral oracles; who is liquidated differs.

Run it:  python examples/collateral_oracle.py

Traders are long a coin with leverage, with two assets as collateral: a synthetic dollar and a staked coin. The coin
falls by a tenth; that alone hurts nobody. On the venue's own, thin book of the synthetic dollar somebody sells down to
0.6567, while the index stays near 1 (spec: prints of that day). Under `venue-spot` that print is what the collateral
counts for, so its holders are liquidated, and what they held is sold into the same book, which hurts the next ones.
Under `index` and `redemption` nobody is; a blend lies between, and a floor cuts the fall off.
"""

from perpsim.core import Engine, Flag, Kind, MarginMode, Side
from perpsim.exchange.collateral import Collateral
from perpsim.exchange.contracts import contract
from perpsim.exchange.rules import Rulebook, parse_tiers, parse_value
from perpsim.exchange.units import RATE_ONE, VALUE_ONE, money, rate

TIERS = parse_tiers([[1_000_000, "0.005", 50], [100_000_000, "0.01", 20]])
COIN, BOOK = 0, 1  # markets: the coin's perpetual, and the own book of the synthetic dollar
USD, SYNTHETIC = 0, 1  # assets
TRADERS = 40
SELLER, BIDDER = TRADERS, TRADERS + 1
ORACLES = {
    "venue-spot": {"collateral_oracle": "venue-spot"},
    "venue-spot, floor 0.95": {"collateral_oracle": "venue-spot", "floor": "0.95"},
    "blend, half and half": {"collateral_oracle": "blend", "blend_spot": "0.5", "blend_index": "0.5"},
    "index": {"collateral_oracle": "index"},
    "redemption": {"collateral_oracle": "redemption"},
}
SECOND = 1_000_000_000
START = 1_760_131_200 * SECOND  # 21:20 UTC


def venue(collateral_oracle, floor=0, **weights):
    """A venue whose traders may post the synthetic dollar, counted by an oracle."""
    coin = contract("COIN-PERP", "0.1", "0.001", 100_000, tiers=TIERS, liquidation_fee=rate("0.0125"))
    book = contract("SYNTH-USD", "0.0001", "1", 1, tiers=TIERS)
    collateral = (
        Collateral("USD"),
        Collateral(
            "SYNTH", bid_buffer=rate("0.05"), ask_buffer=rate("0.05"), exchange_bid=rate("0.025"), price=VALUE_ONE,
            spot_market=BOOK, underlying=USD, redemption_ratio=RATE_ONE, floor=money(floor),
        ),
    )  # fmt: skip
    rules = {"collateral_oracle": collateral_oracle, **weights}
    parsed = dict(parse_value(key, value) for key, value in rules.items())
    return Rulebook(name="example", date="2025-10-10", era="", markets=(coin, book), collateral=collateral, **parsed)


class Day:
    """One engine under one rulebook, and the path of the day."""

    def __init__(self, book):
        self.engine = Engine(book, book.markets, TRADERS + 2)
        self.time = START

    def send(self, kind, **fields):
        self.time += SECOND // 1000
        refused = self.engine.submit(kind=kind, time_ns=self.time, **fields)
        assert not refused, (kind, fields, refused)

    def prices(self, coin, index):
        """Mark and collateral index of one instant."""
        self.send(Kind.SET_COLLATERAL_PRICE, asset=SYNTHETIC, value=money(index), flags=Flag.MORE)
        self.send(Kind.SET_MARK, market=BOOK, value=money(index), flags=Flag.MORE)
        self.send(Kind.SET_MARK, market=COIN, value=money(coin))

    def open(self):
        """Money, bids in the synthetic dollar's book, and positions of 5 to 8 times the collateral."""
        self.prices(coin=100_000, index=1)
        for account in (SELLER, BIDDER):
            self.send(Kind.DEPOSIT, account=account, asset=USD, value=money(50_000_000))
        bids = {10_000: 40_000, 9_900: 60_000, 9_500: 80_000, 9_000: 80_000, 8_000: 80_000, 6_567: 2_000_000}
        for number, (price, lots) in enumerate(bids.items()):
            self.send(
                Kind.PLACE, account=BIDDER, market=BOOK, order_id=number, side=Side.BUY, price_ticks=price,
                size_lots=lots,
            )  # fmt: skip
        self.send(
            Kind.PLACE, account=BIDDER, market=BOOK, order_id=99, side=Side.SELL, price_ticks=10_010, size_lots=1
        )
        self.send(Kind.PLACE, account=SELLER, market=BOOK, order_id=1, side=Side.BUY, price_ticks=10_010, size_lots=1)
        for account in range(TRADERS):
            self.send(Kind.DEPOSIT, account=account, asset=SYNTHETIC, value=money(20_000))
            self.send(Kind.SET_MARGIN_MODE, account=account, aux=MarginMode.MULTI)
            self.send(
                Kind.SEED_POSITION, account=account, market=COIN, side=Side.BUY, size_lots=900 + 20 * account,
                value=money(100_000),
            )  # fmt: skip

    def fall(self):
        """The coin falls by a tenth in steps; then the synthetic dollar's own book is sold into."""
        for coin in range(99_000, 89_000, -1_000):
            self.prices(coin, index="0.9995")
        for number, lots in enumerate((90_000, 90_000, 90_000)):
            self.send(
                Kind.PLACE, account=SELLER, market=BOOK, order_id=10 + number, side=Side.SELL, price_ticks=6_567,
                size_lots=lots,
            )  # fmt: skip
            self.prices(coin=90_000, index="0.999")

    def result(self):
        accounts = self.engine.accounts()
        hit = accounts[(accounts["account"] < TRADERS) & (accounts["asset"] == USD)]
        book = self.engine.market(BOOK)
        exchange = accounts[(accounts["account"] == self.engine.house["exchange"]) & (accounts["asset"] == SYNTHETIC)]
        return {
            "liquidated": int((hit["liquidations"] > 0).sum()),
            "first": min((int(a) for a in hit["account"][hit["liquidations"] > 0]), default=None),
            "sold": int(exchange["balance"][0]) // VALUE_ONE,
            "last": book["last_ticks"] * book["tick_value"] / VALUE_ONE,
        }


def run(name):
    day = Day(venue(**ORACLES[name]))
    day.open()
    day.fall()
    day.engine.check()
    return day.result()


def main():
    print(f"{'oracle':24}{'liquidated':>12}{'collateral sold':>18}{'last of own book':>18}")
    for name in ORACLES:
        result = run(name)
        print(f"{name:24}{result['liquidated']:>9} of {TRADERS}{result['sold']:>15,}{result['last']:>18.4f}")


if __name__ == "__main__":
    main()
