"""What one tick and one lot of a market are worth. Recordings never say, so it is written down here.

The table holds the markets of the shipped and tested recordings. Anybody with another market gives its steps, or hands
an `Instrument` to the reader; at Binance they are `PRICE_FILTER.tickSize` and `LOT_SIZE.stepSize` of `exchangeInfo`.
"""

import re
from dataclasses import asdict, dataclass
from typing import NamedTuple

from perpsim.replay.errors import InputError

KINDS = ("linear", "inverse", "spot")
DECIMAL = re.compile(r"[0-9]{1,18}(?:\.([0-9]{1,18}))?")


@dataclass(frozen=True, slots=True)
class Instrument:
    """Facts of one market; decimals are strings, so that no float stands between the venue and the integers.

    tick           price of one tick, in the quote currency
    lot            size of one lot, in base coins (linear, spot) or contracts (inverse)
    contract_size  what a size of 1 in its files is: base coins (linear, spot: "1", but "0.01" where a venue counts
                   linear contracts of 0.01 coins) or quote currency (inverse: "100" or "10")
    """

    venue: str
    symbol: str
    kind: str
    tick: str
    lot: str
    contract_size: str = "1"

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError(f"the kind of {self.symbol} is {self.kind!r}; it must be one of {', '.join(KINDS)}")
        for name in ("tick", "lot", "contract_size"):
            step(getattr(self, name), f"{name} of {self.symbol}")

    def facts(self) -> dict[str, str]:
        """The fields as a plain dict, in the order above."""
        return asdict(self)


def step(text: str, name: str = "step") -> tuple[int, int]:
    """(units, decimals) of a positive decimal, in lowest terms: "0.10" is (1, 1), "0.25" is (25, 2), "10" is (10, 0).

    Raises InputError when it is not one.
    """
    match = DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if match is None or not text.strip("0."):
        raise InputError(f"{name} is {text!r}; it must be a positive decimal written as a string, such as '0.01'")
    decimals = len((match.group(1) or "").rstrip("0"))
    whole, _, fraction = text.partition(".")
    return int(whole + fraction[:decimals]), decimals


class Era(NamedTuple):
    """What held of a market until a day ("YYYY-MM-DD", not included); None: what holds since."""

    until: str | None
    instrument: Instrument


def _table(*rows: tuple) -> dict[tuple[str, str], list[Era]]:
    """The eras of each market, the oldest first; a row is an instrument's fields, or an Era of them."""
    found: dict[tuple[str, str], list[Era]] = {}
    for row in rows:
        until, fields = row if isinstance(row[1], tuple) else (None, row)
        found.setdefault(fields[:2], []).append(Era(until, Instrument(*fields)))
    for eras in found.values():
        eras.sort(key=lambda era: era.until or "9999")
    return found


# Each row was checked against a recording of that market: every price and size is a multiple. The lot of spot BTCUSDT
# is 0.00001 for new orders, but orders from before the venue coarsened it still rest with six decimals. Where a venue
# changed a tick, the day is one between two recordings that have the old tick and the new.
INSTRUMENTS = _table(
    ("2022-01-01", ("binance-usdm", "BTCUSDT", "linear", "0.01", "0.001")),
    ("binance-usdm", "BTCUSDT", "linear", "0.1", "0.001"),
    ("binance-usdm", "ETHUSDT", "linear", "0.01", "0.001"),
    ("binance-coinm", "AVAXUSD_PERP", "inverse", "0.01", "1", "10"),
    ("binance-coinm", "BCHUSD_PERP", "inverse", "0.01", "1", "10"),
    ("binance-coinm", "BTCUSD_PERP", "inverse", "0.1", "1", "100"),
    ("binance-coinm", "DOTUSD_PERP", "inverse", "0.001", "1", "10"),
    ("binance-coinm", "ETCUSD_PERP", "inverse", "0.001", "1", "10"),
    ("binance-coinm", "FILUSD_PERP", "inverse", "0.001", "1", "10"),
    ("binance-coinm", "TRXUSD_PERP", "inverse", "0.00001", "1", "10"),
    ("binance-coinm", "WLDUSD_PERP", "inverse", "0.0001", "1", "10"),
    ("binance-spot", "BTCUSDC", "spot", "0.01", "0.00001"),
    ("binance-spot", "BTCUSDT", "spot", "0.01", "0.000001"),
    ("binance-spot", "TRXUSDT", "spot", "0.0001", "0.1"),
    ("bitmex", "XBTUSD", "inverse", "0.5", "1", "1"),
    ("bitstamp", "BTCUSD", "spot", "1", "0.00000001"),
    ("bybit", "BTCUSDT", "linear", "0.1", "0.001"),
    ("bybit", "DOGEUSDT", "linear", "0.00001", "1"),
    ("bybit", "ETHUSDT", "linear", "0.01", "0.01"),
    ("bybit", "SOLUSDT", "linear", "0.01", "0.1"),
    ("bybit-spot", "BTCUSDT", "spot", "0.1", "0.000001"),
    ("bybit-spot", "ETHUSDT", "spot", "0.01", "0.00001"),
    ("coinbase", "AVAX-USD", "spot", "0.01", "0.00000001"),
    ("coinbase", "BCH-USD", "spot", "0.01", "0.00000001"),
    ("coinbase", "DOT-USD", "spot", "0.001", "0.00000001"),
    ("coinbase", "ETC-USD", "spot", "0.01", "0.00000001"),
    ("coinbase", "FIL-USD", "spot", "0.001", "0.001"),
    ("coinbase", "WLD-USD", "spot", "0.001", "0.01"),
    ("deribit", "BTC-PERPETUAL", "inverse", "0.5", "10", "1"),
    ("glbx-mdp3", "ESH4", "linear", "0.25", "50", "50"),
    ("glbx-mdp3", "ESM4", "linear", "0.25", "50", "50"),
    ("glbx-mdp3", "ESU4", "linear", "0.25", "50", "50"),
    ("gemini", "AVAXUSD", "spot", "0.001", "0.000001"),
    ("gemini", "BCHUSD", "spot", "0.01", "0.000001"),
    ("gemini", "DOTUSD", "spot", "0.0001", "0.000001"),
    ("gemini", "FILUSD", "spot", "0.0001", "0.000001"),
    ("huobi-dm-swap", "BTC-USD", "inverse", "0.1", "1", "100"),
    ("hyperliquid", "BTC", "linear", "0.1", "0.00001"),
)


def instrument(venue: str, symbol: str, day: str | None = None) -> Instrument:
    """The facts of a market, of a day "YYYY-MM-DD" where it is known, else of now.

    Raises InputError, saying what to give, when the table has none.
    """
    eras = INSTRUMENTS.get((venue, symbol), [])
    found = next((era.instrument for era in eras if day is None or era.until is None or day < era.until), None)
    if day is None and eras:
        found = eras[-1].instrument
    if found is None:
        raise InputError(
            f"the tick and lot of {symbol} on {venue} are not known here; give --tick and --lot, and --kind and "
            "--contract-size where it is not linear in base coins (an Instrument from Python): the venue lists them"
        )
    return found
