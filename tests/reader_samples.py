"""A small file of each format, written here from the format's published columns, and what its reader must make of it.

No row is of a recording. The recordings that the readers were tried on are read by test_readers.py where they are.
"""

from typing import NamedTuple

from perpsim.replay.catalogue import Instrument
from perpsim.replay.readers.contract import Market
from perpsim.replay.tape import Row

USDM = Instrument("binance-usdm", "BTCUSDT", "linear", "0.1", "0.001")
COINM = Instrument("binance-coinm", "BTCUSD_PERP", "inverse", "0.1", "1", "100")
SPOT = Instrument("binance-spot", "BTCUSDT", "spot", "0.01", "0.00001")


class Damage(NamedTuple):
    """One line changed: the rule that it breaks, and how many rows are lost with it when it is left out."""

    line: int
    old: bytes
    new: bytes
    rule: str
    rows: int = 1


class Sample(NamedTuple):
    """A file and its rows: (code with MORE, price, value, id) of each, and the times of the first."""

    reader: str
    file: str  # path, of which some formats read the folders
    data: bytes
    market: Market
    instrument: Instrument
    rows: list[tuple[int, int, int, int]]
    time_ns: int
    receive_ns: int
    damage: tuple[Damage, ...] = ()

    def __str__(self) -> str:
        return f"{self.reader}-{self.file.rpartition('/')[2]}"


SAMPLES: list[Sample] = []


def sample(reader: str, file: str, text: str | bytes, *facts, damage: tuple[Damage, ...] = ()) -> None:
    data = (
        text
        if isinstance(text, bytes)
        else "\n".join(line.strip() for line in text.strip().split("\n")).encode() + b"\n"
    )
    SAMPLES.append(Sample(reader, file, data, *facts, damage=damage))


BID, ASK, MORE, WHOLE = Row.LEVEL, Row.LEVEL | 16, 32, 64
BUY, SELL = Row.TRADE, Row.TRADE | 16
T = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20
MARKET = Market("binance-usdm", "BTCUSDT", "2023-11-14")

# Tardis.dev

sample(
    "tardis-trades",
    "binance-futures_trades_2023-11-14_BTCUSDT.csv",
    """exchange,symbol,timestamp,local_timestamp,id,side,price,amount
    binance-futures,BTCUSDT,1700000000000000,1700000000004500,1001,buy,36500.1,0.25
    binance-futures,BTCUSDT,1700000000001000,1700000000004600,1002,sell,36500,1
    binance-futures,BTCUSDT,1700000000001000,1700000000004600,1003,sell,36499.9,0.001
    binance-futures,BTCUSDT,1700000061000000,1700000061004600,1006,unknown,36499.9,0.002""",
    MARKET,
    USDM,
    [
        (BUY, 365001, 250, 1001),
        (SELL, 365000, 1000, 1002),
        (SELL, 364999, 1, 1003),
        (Row.OFF_BOOK, 364999, 2, 1006),
    ],
    T,
    T + 4_500_000,
    damage=(
        Damage(3, b"36500,1", b"36500.05,1", "off-grid"),
        Damage(3, b"36500,1", b"36500,1.0000000001", "off-grid"),
        Damage(3, b"36500,1", b"3650x,1", "unreadable"),
        Damage(3, b"36500,1", b",1", "bad-price"),
        Damage(3, b"36500,1", b"36500,", "bad-size"),
        Damage(3, b"36500,1", b"36500", "unreadable"),
        Damage(3, b"BTCUSDT", b"ETHUSDT", "wrong-symbol"),
        Damage(3, b"sell", b"bid", "bad-side"),
        Damage(3, b"1002", b"1001", "duplicate-id"),
        Damage(4, b"1003", b"1000", "id-back"),
        Damage(4, b"1003", b"91003000", "id-jump"),
        Damage(2, b"binance-futures,BTCUSDT", b"", "unreadable"),
    ),
)
sample(
    "tardis-incremental-book-l2",
    "deribit_incremental_book_L2_2023-11-14_BTC-PERPETUAL.csv",
    """exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
    deribit,BTC-PERPETUAL,1699999999000000,1699999999100000,false,bid,36400,10
    deribit,BTC-PERPETUAL,1700000000000000,1700000000100000,true,ask,36500.5,18640
    deribit,BTC-PERPETUAL,1700000000000000,1700000000100000,true,bid,36500,1190
    deribit,BTC-PERPETUAL,1700000000000000,1700000000100001,true,bid,36499.5,20
    deribit,BTC-PERPETUAL,1700000000200000,1700000000300000,false,bid,36500,0
    deribit,BTC-PERPETUAL,1700000000200000,1700000000300000,false,ask,36500.5,10
    deribit,BTC-PERPETUAL,1700000000250000,1700000000300000,false,ask,36501,10
    deribit,BTC-PERPETUAL,1700000100000000,1700000100000000,true,bid,36400,30
    deribit,BTC-PERPETUAL,1700000200000000,1700000200000000,true,bid,36300,30""",
    Market("deribit", "BTC-PERPETUAL", "2023-11-14"),
    Instrument("deribit", "BTC-PERPETUAL", "inverse", "0.5", "10", "1"),
    [
        (ASK | MORE | WHOLE, 73001, 1864, 0),
        (BID | MORE | WHOLE, 73000, 119, 0),
        (BID | WHOLE, 72999, 2, 0),
        (BID | MORE, 73000, 0, 0),
        (ASK, 73001, 1, 0),
        (ASK, 73002, 1, 0),
        (BID | WHOLE, 72800, 3, 0),
        (BID | WHOLE, 72600, 3, 0),
    ],
    T,
    T + 100_001_000,
    damage=(
        Damage(4, b"true", b"yes", "unreadable"),
        Damage(7, b"ask", b"sell", "bad-side"),
        Damage(7, b",10", b",15", "off-grid"),
        Damage(8, b"10", b"-x", "unreadable"),
    ),
)
for depth in (5, 25):
    sample(
        f"tardis-book-snapshot-{depth}",
        f"binance-futures_book_snapshot_{depth}_2023-11-14_BTCUSDT.csv",
        "exchange,symbol,timestamp,local_timestamp,"
        + ",".join(f"asks[{i}].price,asks[{i}].amount,bids[{i}].price,bids[{i}].amount" for i in range(depth))
        + "\nbinance-futures,BTCUSDT,1700000000000000,1700000000010000,36500.2,1,36500.1,2,36500.4,1.5,36500,0.001"
        + "," * (4 * depth - 8)
        + "\nbinance-futures,BTCUSDT,1700000000100000,1700000000110000,36500.2,1,36500.1,3"
        + "," * (4 * depth - 4),
        MARKET,
        USDM,
        [
            (ASK | MORE | WHOLE, 365002, 1000, 0),
            (BID | MORE | WHOLE, 365001, 2000, 0),
            (ASK | MORE | WHOLE, 365004, 1500, 0),
            (BID | WHOLE, 365000, 1, 0),
            (ASK | MORE | WHOLE, 365002, 1000, 0),
            (BID | WHOLE, 365001, 3000, 0),
        ],
        T,
        T + 10_000_000,
        damage=(
            Damage(3, b"36500.1", b"36500.15", "off-grid", 2),
            Damage(3, b"36500.1,3", b"36500.1,", "bad-size", 2),
            Damage(3, b",,,,", b",", "unreadable", 2),
        ),
    )
sample(
    "tardis-quotes",
    "binance-futures_quotes_2023-11-14_BTCUSDT.csv",
    """exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount
    binance-futures,BTCUSDT,1700000000000000,1700000000010000,0.84,36500.2,36500.1,0.67
    binance-futures,BTCUSDT,1700000000100000,1700000000110000,,,36500.1,0.5""",
    MARKET,
    USDM,
    [(Row.QUOTE | 16 | MORE, 365002, 840, 0), (Row.QUOTE, 365001, 670, 0), (Row.QUOTE, 365001, 500, 0)],
    T,
    T + 10_000_000,
    damage=(Damage(2, b"36500.2", b"36500.25", "off-grid", 2), Damage(3, b"0.5", b"", "bad-size", 1)),
)
sample(
    "tardis-derivative-ticker",
    "binance-futures_derivative_ticker_2023-11-14_BTCUSDT.csv",
    "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,open_interest,"
    """last_price,index_price,mark_price
    binance-futures,BTCUSDT,1700000000000000,1700000000010000,,,,,36500.1,,36500.0765
    binance-futures,BTCUSDT,1700000001000000,1700000001010000,1700006400000000,0.0001,,81234.567,,36499.5,36500.0765
    binance-futures,BTCUSDT,1700000002000000,1700000002010000,1700006400000000,0.0001,,81234.567,,36499.5,36500.0765
    binance-futures,BTCUSDT,1700000003000000,1700000003010000,1700035200000000,0.0001,,,36500.2,36499.5,36501""",
    MARKET,
    USDM,
    [
        (Row.MARK, 0, 3650007650000, 0),
        (Row.INDEX | MORE, 0, 3649950000000, 0),
        (Row.FUNDING | MORE, 1700006400 * 10**9, 100_000, 0),
        (Row.OPEN_INTEREST, 0, 81234567, 0),
        (Row.MARK | MORE, 0, 3650100000000, 0),
        (Row.FUNDING, 1700035200 * 10**9, 100_000, 0),
    ],
    T,
    T + 10_000_000,
    damage=(
        Damage(5, b",36501", b",1e300", "bad-value", 2),
        Damage(5, b",36501", b",3650l", "unreadable", 2),
    ),
)
sample(
    "tardis-liquidations",
    "bybit_liquidations_2023-11-14_BTCUSD.csv",
    """exchange,symbol,timestamp,local_timestamp,id,side,price,amount
    bybit,BTCUSD,1700000000000000,1700000000010000,,sell,36500.5,1200
    bybit,BTCUSD,1700000000100000,1700000000110000,,buy,36501,7""",
    Market("bybit", "BTCUSD", "2023-11-14"),
    Instrument("bybit", "BTCUSD", "inverse", "0.5", "1", "1"),
    [(Row.LIQUIDATION | 16, 73001, 1200, 0), (Row.LIQUIDATION, 73002, 7, 0)],
    T,
    T + 10_000_000,
    damage=(Damage(3, b"buy", b"Buy", "bad-side"), Damage(3, b",7", b",0.5", "off-grid")),
)

# Binance Vision

DAILY = "futures/um/daily"
sample(
    "vision-agg-trades",
    f"{DAILY}/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2023-11-14.csv",
    """agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker
    50,36500.1,0.250,1001,1003,1700000000000,false
    51,36500.0,1.000,1006,1006,1700000000001,true""",
    MARKET,
    USDM,
    [(BUY, 365001, 250, 1003), (SELL, 365000, 1000, 1006)],
    T,
    T,
    damage=(
        Damage(3, b"true", b"1", "bad-side"),
        Damage(3, b"1006,1006", b"1002,1006", "id-back"),
        Damage(3, b"36500.0", b"36500.01", "off-grid"),
    ),
)
sample(
    "vision-agg-trades",
    "BTCUSDT-aggTrades-2025-02-03.csv",
    """50,36500.10000000,0.25000000,1001,1003,1738540800000001,False,True
    51,36500.01000000,1.00000000,1004,1006,1738540800000002,True,True""",
    Market("binance-spot", "BTCUSDT", "2025-02-03"),
    SPOT,
    [(BUY, 3650010, 25000, 1003), (SELL, 3650001, 100000, 1006)],
    1738540800000001000,
    1738540800000001000,
    damage=(Damage(2, b"1738540800000002", b"1738540800000002.5", "unreadable"),),
)
sample(
    "vision-trades",
    "futures/cm/daily/trades/BTCUSD_PERP/BTCUSD_PERP-trades-2023-11-14.csv",
    """id,price,qty,base_qty,time,is_buyer_maker
    7,36500.1,3,0.00821915,1700000000000,true
    8,36500.2,4,0.01095884,1700000000005,false""",
    Market("binance-coinm", "BTCUSD_PERP", "2023-11-14"),
    COINM,
    [(SELL, 365001, 3, 7), (BUY, 365002, 4, 8)],
    T,
    T,
    damage=(Damage(3, b",4,", b",4.5,", "off-grid"), Damage(3, b"8,36", b"7,36", "duplicate-id")),
)
sample(
    "vision-trades",
    "BTCUSDT-trades-2023-11-14.csv",
    """7,36500.10,0.001,36.5001,1700000000000,True,True
    8,36500.20,0.002,73.0004,1700000000005,False,True""",
    Market("binance-spot", "BTCUSDT", "2023-11-14"),
    SPOT,
    [(SELL, 3650010, 100, 7), (BUY, 3650020, 200, 8)],
    T,
    T,
    damage=(Damage(1, b"True,True", b"Yes,True", "bad-side"),),
)
sample(
    "vision-book-ticker",
    "BTCUSDT-bookTicker-2023-11-14.csv",
    """update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time
    99,36500.1,2.5,36500.2,0.001,1700000000000,1700000000004
    101,36500.1,2.4,36500.2,0.001,1700000000007,1700000000009""",
    MARKET,
    USDM,
    [
        (Row.QUOTE | MORE, 365001, 2500, 99),
        (Row.QUOTE | 16, 365002, 1, 99),
        (Row.QUOTE | MORE, 365001, 2400, 101),
        (Row.QUOTE | 16, 365002, 1, 101),
    ],
    T,
    T,
    damage=(Damage(3, b"36500.2", b"36500.22", "off-grid", 2),),
)
BAR_NAMES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
for kind, row in (("mark", Row.MARK), ("index", Row.INDEX)):
    sample(
        f"vision-{kind}-price-klines",
        f"{DAILY}/{kind}PriceKlines/BTCUSDT/1m/BTCUSDT-1m-2023-11-14.csv",
        BAR_NAMES
        + """1700000000000,100,104.5,99,102,0,1700000059999,0,60,0,0,0
        1700000060000,102,103,98.00000001,99,0,1700000119999,0,60,0,0,0""",
        MARKET,
        USDM,
        [
            (Row.BAR, 8 * row + part, int(price), 0)
            for bar in ((100e8, 99e8, 104.5e8, 102e8), (102e8, 98_00000001, 103e8, 99e8))
            for part, price in enumerate((bar[0], bar[1], bar[2], bar[1], bar[2], bar[3]))
        ],
        T,
        T,
        damage=(
            Damage(3, b"102,103", b"102,101", "bad-value", 6),
            Damage(3, b"1700000119999", b"1700000059999", "bad-time", 6),
            Damage(3, b"102,103", b",103", "bad-value", 6),
        ),
    )
sample(
    "vision-mark-price-klines",
    "BTCUSD_PERP-1m-2023-11-14.csv",
    BAR_NAMES + "1700000000000,100,104.5,99,102,0,1700000059999,0,60,0,0,0",
    Market("binance-coinm", "BTCUSD_PERP", "2023-11-14"),
    COINM,
    [
        (Row.BAR, 8 * Row.MARK + part, int(price * 10**8), 0)
        for part, price in enumerate((100, 99, 104.5, 99, 104.5, 102))
    ],
    T,
    T,
)
sample(
    "vision-index-price-klines",
    "futures/cm/daily/indexPriceKlines/BTCUSD/1m/BTCUSD-1m-2023-11-14.csv",
    BAR_NAMES + "1700000000000,100,104.5,99,102,0,1700000059999,0,60,0,0,0",
    Market("binance-coinm", "BTCUSD_PERP", "2023-11-14"),
    COINM,
    [
        (Row.BAR, 8 * Row.INDEX + part, int(price * 10**8), 0)
        for part, price in enumerate((100, 99, 104.5, 99, 104.5, 102))
    ],
    T,
    T,
)
sample(
    "vision-metrics",
    "BTCUSDT-metrics-2023-11-14.csv",
    """create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio
    2023-11-14 22:15:00,BTCUSDT,81234.5670000000000000,2965072000.1,1.2
    2023-11-14 22:20:00,BTCUSDT,81235.0000000000000000,2965072000.1,1.2""",
    MARKET,
    USDM,
    [(Row.OPEN_INTEREST, 0, 81234567, 0), (Row.OPEN_INTEREST, 0, 81235000, 0)],
    T + 100 * 10**9,
    T + 100 * 10**9,
    damage=(
        Damage(2, b"BTCUSDT", b"ETHUSDT", "wrong-symbol"),
        Damage(3, b"81235.0000000000000000", b"", "bad-value"),
        Damage(3, b"22:20", b"22:80", "unreadable"),
    ),
)
sample(
    "vision-liquidation-snapshot",
    "futures/cm/daily/liquidationSnapshot/BTCUSD_PERP/BTCUSD_PERP-liquidationSnapshot-2023-11-14.csv",
    "time,side,order_type,time_in_force,original_quantity,price,average_price,order_status,last_fill_quantity,"
    """accumulated_fill_quantity
    1700000000000,SELL,LIMIT,IOC,12,36400.1,36450.23,FILLED,2,12
    1700000000000,SELL,LIMIT,IOC,12,36400.1,36450.23,FILLED,2,12
    1700000000500,BUY,LIMIT,IOC,5,36800.1,0,EXPIRED,0,0
    1700000000900,BUY,LIMIT,IOC,5,36800.1,36750.0,FILLED,5,5""",
    Market("binance-coinm", "BTCUSD_PERP", "2023-11-14"),
    COINM,
    [(Row.LIQUIDATION | 16, 364502, 12, 0), (Row.LIQUIDATION, 367500, 5, 0)],
    T,
    T,
    damage=(Damage(5, b"BUY", b"LONG", "bad-side"), Damage(5, b",5,5", b",5,5.5", "off-grid")),
)
sample(
    "vision-funding-rate",
    "BTCUSDT-fundingRate-2023-11.csv",
    """calc_time,funding_interval_hours,last_funding_rate
    1700006400005,8,0.00010000
    1700035200000,8,-0.00002345""",
    Market("binance-usdm", "BTCUSDT", None),
    USDM,
    [
        (Row.FUNDING, 1700006400 * 10**9, 100_000, 0),
        (Row.FUNDING, 1700035200 * 10**9, -23_450, 0),
    ],
    1700006399 * 10**9,
    1700006399 * 10**9,
    damage=(Damage(3, b"-0.00002345", b"", "bad-value"),),
)
sample(
    "vision-book-depth",
    "BTCUSDT-bookDepth-2023-11-14.csv",
    """timestamp,percentage,depth,notional
    2023-11-14 00:00:07,-1,2000.5,73018250.0
    2023-11-14 00:00:07,1,1900.5,69368250.0
    2023-11-14 00:00:37,-1,2000.5,73018250.0
    2023-11-14 00:00:37,1,1900.5,69368250.0
    2023-11-14 00:01:07,-1,2100.5,73018250.0""",
    MARKET,
    USDM,
    [],
    0,
    0,
    damage=(Damage(2, b"2000.5", b"2000,5", "unreadable", 0),),
)
