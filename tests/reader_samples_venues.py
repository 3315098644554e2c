"""As reader_samples.py: hftbacktest, Bybit, OKX, BitMEX and Hyperliquid."""

import io
import json
from dataclasses import replace

import numpy as np
from perpsim.replay.catalogue import Instrument
from perpsim.replay.readers.contract import Market
from perpsim.replay.tape import Row
from reader_samples import ASK, BID, BUY, MORE, SELL, SPOT, USDM, WHOLE, Damage, T, sample

MS = T // 10**6
BYBIT = Instrument("bybit", "BTCUSDT", "linear", "0.1", "0.001")

# hftbacktest: no text, so its damage is tested in test_readers.py

EXCHANGE, LOCAL, BOUGHT, SOLD = 1 << 31, 1 << 30, 1 << 29, 1 << 28
BOTH = EXCHANGE | LOCAL
EVENTS = [
    (BOTH | BOUGHT | 3, T, T + 5, 36000.0, 0.0),
    (BOTH | BOUGHT | 4, T, T + 5, 36500.1, 0.3),
    (BOTH | BOUGHT | 4, T, T + 5, 36000.0, 0.1),
    (BOTH | SOLD | 3, T, T + 5, 37000.0, 0.0),
    (BOTH | SOLD | 4, T, T + 5, 36500.2, 0.7),
    (BOTH | SOLD | 2, T + 10, T + 15, 36500.1, 0.1),
    (EXCHANGE | BOUGHT | 1, T + 20, T + 31, 36500.1, 0.2),
    (EXCHANGE | SOLD | 1, T + 20, T + 31, 36500.2, 0.0),
    (LOCAL | BOUGHT | 1, T + 20, T + 31, 36500.1, 0.2),
    (EXCHANGE | BOUGHT | 1, T + 20, T + 32, 36500.0, 0.5),
    (BOTH | SOLD | 5, T + 30, T + 40, 36500.3, 1.0),
    (BOTH | 9, T + 30, T + 40, 0.0, 0.0),
]


def npy(events: list[tuple], fields: str = "u8 i8 i8 f8 f8 u8 i8 f8") -> bytes:
    names = ("ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval")
    dtype = np.dtype(list(zip(names, fields.split(), strict=True)))
    array = np.zeros(len(events), dtype)
    for place, event in enumerate(events):
        array[place] = (*event, 0, 0, 0.0)
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


sample(
    "hftbacktest",
    "btcusdt_20231114.npy",
    npy(EVENTS),
    Market("", "BTCUSDT"),
    USDM,
    [
        (BID | MORE | WHOLE, 360000, 0, 0),
        (BID | MORE | WHOLE, 365001, 300, 0),
        (BID | MORE | WHOLE, 360000, 100, 0),
        (ASK | MORE | WHOLE, 370000, 0, 0),
        (ASK | WHOLE, 365002, 700, 0),
        (SELL, 365001, 100, 0),
        (BID | MORE, 365001, 200, 0),
        (ASK, 365002, 0, 0),
        (BID, 365000, 500, 0),
        (Row.QUOTE | 16, 365003, 1000, 0),
    ],
    T,
    T + 5,
)

# Bybit


def uuid_number(high: str, low: str = "be6003eedbe3cdd7") -> int:
    """What FORMATS.md calls a number from all digits."""
    spread = int(high, 16) * 0x9E3779B97F4A7C15 % 2**64
    return (spread ^ spread // 2**32 ^ int(low, 16)) % 2**63


sample(
    "bybit-trades",
    "BTCUSDT2023-11-14.csv",
    """timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional,RPI
    1700000000.1234,BTCUSDT,Buy,0.25,36500.10,PlusTick,a9188a0a-82bc-50de-be60-03eedbe3cdd7,1e+10,0.25,9125.025,0
    1700000001,BTCUSDT,Sell,0.001,36500.00,MinusTick,b9188a0a-82bc-50de-be60-03eedbe3cdd7,3.65e+09,0.001,36.5,1""",
    Market("bybit", "BTCUSDT", "2023-11-14"),
    BYBIT,
    [
        (BUY, 365001, 250, uuid_number("a9188a0a82bc50de")),
        (Row.OFF_BOOK | 16, 365000, 1, uuid_number("b9188a0a82bc50de")),
    ],
    T + 123_400_000,
    T + 123_400_000,
    damage=(
        Damage(3, b"Sell", b"sell", "bad-side"),
        Damage(3, b"BTCUSDT", b"BTCUSD", "wrong-symbol"),
        Damage(3, b"1700000001,", b",", "bad-time"),
        Damage(3, b"36500.00", b"36500.05", "off-grid"),
    ),
)
sample(
    "bybit-spot-trades",
    "BTCUSDT_2025-11-14.csv",
    """id,timestamp,price,volume,side,rpi
    1,1700000000000,36500.1,0.25,buy,0
    2,1700000000001,36500,0.001,sell,1""",
    Market("bybit-spot", "BTCUSDT", "2025-11-14"),
    replace(SPOT, venue="bybit-spot"),
    [(BUY, 3650010, 25000, 1), (Row.OFF_BOOK | 16, 3650000, 100, 2)],
    T,
    T,
    damage=(Damage(3, b"sell", b"Sell", "bad-side"),),
)


def line(**fields) -> str:
    return json.dumps(fields, separators=(",", ":"))


def book(kind: str, u: int, b: list, a: list, after_ms: int) -> str:
    data = {"s": "BTCUSDT", "b": b, "a": a, "u": u, "seq": 7 * u}
    return line(topic="orderbook.500.BTCUSDT", type=kind, ts=MS + after_ms + 3, data=data, cts=MS + after_ms)


BOOKS = [
    book("delta", 4, [["36500.10", "9"]], [], 0),
    book("snapshot", 5, [["36500.10", "0.300"], ["36500.00", "1"]], [["36500.20", "0.7"]], 10),
    book("delta", 6, [["36500.10", "0"]], [["36500.20", "0.500"], ["36500.30", "0.1"]], 20),
    book("delta", 7, [["36500.10", "0.4"]], [], 30),
    book("snapshot", 1, [["36400.00", "2"]], [["36410.00", "2"]], 40),
    book("delta", 2, [["36400.00", "3"]], [], 50),
]
BOOK_ROWS = [
    (BID | MORE | WHOLE, 365001, 300, 5),
    (BID | MORE | WHOLE, 365000, 1000, 5),
    (ASK | WHOLE, 365002, 700, 5),
    (BID | MORE, 365001, 0, 6),
    (ASK | MORE, 365002, 500, 6),
    (ASK, 365003, 100, 6),
    (BID, 365001, 400, 7),
    (BID | MORE | WHOLE, 364000, 2000, 1),
    (ASK | WHOLE, 364100, 2000, 1),
    (BID, 364000, 3000, 2),
]
sample(
    "bybit-book",
    "2023-11-14_BTCUSDT_ob500.data",
    "\n".join(BOOKS),
    Market("bybit", "BTCUSDT", "2023-11-14"),
    BYBIT,
    BOOK_ROWS,
    T + 10_000_000,
    T + 10_000_000,
    damage=(
        Damage(4, b'"u":7', b'"u":8', "update-gap"),
        Damage(3, b"0.500", b"0.5000001", "off-grid"),
        Damage(3, b"36500.20", b"3650O.20", "unreadable", 2),
        Damage(6, b'"u"', b'"x"', "unreadable"),
        Damage(6, b'{"topic', b'"topic', "unreadable"),
    ),
)


def wrapped(text: str, after_s: float, connection: str = "ws.2") -> str:
    return line(t="recv", conn=connection, ts=T / 1e9 + after_s, data=text)


def tickers(after_ms: int, **fields) -> str:
    return line(topic="tickers.BTCUSDT", type="delta", data={"symbol": "BTCUSDT", **fields}, cs=1, ts=MS + after_ms)


def prints(topic: str, after_ms: int, *each: dict) -> str:
    return line(topic=f"{topic}.BTCUSDT", type="snapshot", ts=MS + after_ms, data=list(each))


TRADE = {
    "T": MS + 11,
    "s": "BTCUSDT",
    "S": "Sell",
    "v": "0.004",
    "p": "36500.10",
    "i": "00000000-0000-001",
    "BT": False,
}
FACTS = {"symbol": "BTCUSDT", "priceFilter": {"tickSize": "0.10"}, "lotSizeFilter": {"qtyStep": "0.001"}}
ADDRESS = "wss://stream.bybit.com/v5/public/"
sample(
    "bybit-stream",
    "BYBIT.jsonl",
    "\n".join(
        [
            line(t="header", format=2, exchange="BYBIT", config={}),
            line(
                t="http",
                conn="http.1",
                ts=T / 1e9,
                url="https://api.bybit.com/v5/market/instruments-info?&category=linear",
                data=json.dumps({"retCode": 0, "result": {"category": "linear", "list": [FACTS]}}),
            ),
            line(t="connect", conn="ws.2", ts=T / 1e9, addr=f"{ADDRESS}linear"),
            line(t="connect", conn="ws.3", ts=T / 1e9, addr=f"{ADDRESS}spot"),
            wrapped(line(success=True, op="subscribe"), 0.001),
            wrapped(BOOKS[1], 0.020),
            wrapped(BOOKS[1].replace("36500", "36511"), 0.020, "ws.3"),
            wrapped(prints("publicTrade", 12, TRADE, TRADE | {"S": "Buy", "RPI": True}), 0.021),
            wrapped(tickers(13, markPrice="36500.07", indexPrice="36499.5", openInterest="81234.567"), 0.022),
            wrapped(tickers(14, fundingRate="0.0001", nextFundingTime="1700006400000", bid1Price="1"), 0.023),
            wrapped(tickers(15, nextFundingTime="1700035200000"), 0.024),
            wrapped(BOOKS[2], 0.030),
            wrapped(
                prints("allLiquidation", 22, {"T": MS + 22, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": "36000"}), 0.03
            ),
        ]
    ),
    Market("bybit", "BTCUSDT"),
    BYBIT,
    [
        *BOOK_ROWS[:3],
        (SELL, 365001, 4, 1),
        (Row.OFF_BOOK, 365001, 4, 1),
        (Row.MARK | MORE, 0, 36500_07000000, 0),
        (Row.INDEX | MORE, 0, 36499_50000000, 0),
        (Row.OPEN_INTEREST, 0, 81234567, 0),
        (Row.FUNDING, 1700006400 * 10**9, 100_000, 0),
        (Row.FUNDING, 1700035200 * 10**9, 100_000, 0),
        *BOOK_ROWS[3:6],
        (Row.LIQUIDATION | 16, 360000, 1000, 0),
    ],
    T + 10_000_000,
    T + 20_000_000,
    damage=(
        Damage(8, b"Buy", b"buy", "bad-side"),
        Damage(9, b"36500.07", b"3650o.07", "unreadable", 3),
        Damage(12, b'{\\"topic\\"', b'\\"topic\\"', "unreadable", 3),
        Damage(12, b'"t"', b"t", "unreadable", 3),
        Damage(13, b"36000", b"36000.05", "off-grid"),
    ),
)

# OKX: a contract of BTC-USDT-SWAP is 0.01 BTC

OKX = Instrument("okx", "BTC-USDT-SWAP", "linear", "0.1", "0.0001", "0.01")
sample(
    "okx-trades",
    "BTC-USDT-SWAP-trades-2023-11-15.csv",
    """instrument_name/交易对,trade_id/成交号,side/方向,price/价格,size/数量,created_time/成交时间
    BTC-USDT-SWAP,31,buy,36500.1,2.5,1700000000000
    ETH-USDT-SWAP,99,buy,2000.12,2.5,1700000000000
    BTC-USDT-SWAP,32,sell,36500,1e-02,1700000000001""",
    Market("okx", "BTC-USDT-SWAP", "2023-11-15"),
    OKX,
    [(BUY, 365001, 250, 31), (SELL, 365000, 1, 32)],
    T,
    T,
    damage=(
        Damage(4, b"1e-02", b"0.005", "off-grid"),
        Damage(4, b"sell", b"long", "bad-side"),
    ),
)
sample(
    "okx-funding",
    "allswap-fundingrates-2023-11-14.csv",
    """contract_type/instrument_name,funding_rate,real_funding_rate,funding_time
    BTC-USDT-SWAP,0.0002,0.0001,1700006400000
    ETH-USDT-SWAP,0.0003,0.0003,1700006400000
    BTC-USDT-SWAP,0.0002,-0.00005,1700035200000""",
    Market("okx", "BTC-USDT-SWAP", "2023-11-14"),
    OKX,
    [(Row.FUNDING, 1700006400 * 10**9, 100_000, 0), (Row.FUNDING, 1700035200 * 10**9, -50_000, 0)],
    1700006399 * 10**9,
    1700006399 * 10**9,
    damage=(Damage(4, b",-0.00005", b",", "bad-value"),),
)
SWAP = "BTC-USDT-SWAP"
sample(
    "okx-book",
    "BTC-USDT-SWAP-L2orderbook-400lv-2023-11-14.data",
    "\n".join(
        [
            line(instId=SWAP, action="update", ts=str(MS - 1), asks=[["36500.2", "7", "1"]], bids=[]),
            line(
                instId=SWAP,
                action="snapshot",
                ts=str(MS),
                asks=[["36500.2", "7", "1"]],
                bids=[["36500.1", "1.25", "2"]],
            ),
            line(
                instId=SWAP, action="update", ts=str(MS + 1), asks=[["36500.2", "0", "0"]], bids=[["36500.1", "2", "2"]]
            ),
            line(instId=SWAP, action="update", ts=str(MS + 2), asks=[["36500.3", "10000", "4"]], bids=[]),
        ]
    ),
    Market("okx", SWAP, "2023-11-14"),
    OKX,
    [
        (BID | MORE | WHOLE, 365001, 125, 0),
        (ASK | WHOLE, 365002, 700, 0),
        (BID | MORE, 365001, 200, 0),
        (ASK, 365002, 0, 0),
        (ASK, 365003, 1_000_000, 0),
    ],
    T,
    T,
    damage=(
        Damage(4, b"BTC", b"ETH", "wrong-symbol"),
        Damage(4, b"170", b"I70", "bad-time"),
        Damage(4, b'["36500.3","10000","4"]', b'["36500.3"]', "unreadable"),
        Damage(4, b"10000", b"0.005", "off-grid"),
    ),
)

# BitMEX

XBT = Instrument("bitmex", "XBTUSD", "inverse", "0.5", "1", "1")
sample(
    "bitmex-trades",
    "20231114.csv",
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional,trdType\n"
    """2023-11-14D22:13:20.000000001,ETHUSD,Buy,30,2000.05,PlusTick,cc,1,1,1,Regular
    2023-11-14D22:13:20.123456789,XBTUSD,Sell,2152,36500.5,PlusTick,00000000-0000-00a,1,1,2152,Regular
    2023-11-14D22:13:21.000000000,XBTUSD,,100,36500,PlusTick,00000000-0000-00b,1,1,100,Settlement""",
    Market("bitmex", "ETHUSD", "2023-11-14"),
    XBT,
    [(SELL, 73001, 2152, 10), (Row.OFF_BOOK, 73000, 100, 11)],
    T + 123_456_789,
    T + 123_456_789,
    damage=(
        Damage(3, b"Sell", b"Short", "bad-side"),
        Damage(3, b"22:13", b"22:63", "bad-time"),
        Damage(3, b"D22", b"X22", "bad-time"),
        Damage(4, b"36500", b"36500.2", "off-grid"),
    ),
)
sample(
    "bitmex-quotes",
    "20231114.csv",
    """timestamp,symbol,bidSize,bidPrice,askPrice,askSize
    2023-11-14D22:13:20.000000000,XBTUSD,100,36500,36500.5,2000
    2023-11-14D22:13:20.000000009,XBTUSD,,,36500.5,1000""",
    Market("bitmex", "XBTUSD", "2023-11-14"),
    XBT,
    [(Row.QUOTE | MORE, 73000, 100, 0), (Row.QUOTE | 16, 73001, 2000, 0), (Row.QUOTE | 16, 73001, 1000, 0)],
    T,
    T,
    damage=(Damage(3, b",1000", b",1000.5", "off-grid"), Damage(2, b"2023", b"x023", "bad-time", 2)),
)

# Hyperliquid

HYPE = Instrument("hyperliquid", "BTC", "linear", "0.1", "0.00001")


def level(px: str, sz: str) -> dict:
    return {"px": px, "sz": sz, "n": 1}


def archived(bids: list, asks: list, after_ms: int) -> str:
    data = {"coin": "BTC", "time": MS + after_ms, "levels": [bids, asks]}
    stamp = str(np.datetime64(T + after_ms * 10**6 + 5_000_001, "ns"))
    return line(time=stamp, ver_num=1, raw={"channel": "l2Book", "data": data})


HYPE_BOOKS = [
    archived([level("36500.0", "3.03622"), level("36499.0", "1")], [level("36501.0", "0.5")], 0),
    archived([level("36500.0", "3")], [level("36501.0", "0.5")], 500),
]
HYPE_ROWS = [
    (BID | MORE | WHOLE, 365000, 303622, 0),
    (BID | MORE | WHOLE, 364990, 100000, 0),
    (ASK | WHOLE, 365010, 50000, 0),
    (BID | MORE | WHOLE, 365000, 300000, 0),
    (ASK | WHOLE, 365010, 50000, 0),
]
HYPE_DAMAGES = (
    Damage(1, b'"coin":"BTC"', b'"coin":"BTC","levels":7', "unreadable", 3),
    Damage(2, b'"36501.0"', b'"365O1.0"', "unreadable"),
    Damage(2, b'"3"', b'"3.000001"', "off-grid"),
)
sample(
    "hyperliquid-stream",
    "market_data/20231114/22/l2Book/BTC",
    "\n".join(HYPE_BOOKS),
    Market("hyperliquid", "BTC", "2023-11-14"),
    HYPE,
    HYPE_ROWS,
    T,
    T + 5_000_001,
    damage=HYPE_DAMAGES,
)
PRINT = {"coin": "BTC", "hash": "0x", "px": "36501.0", "side": "B", "sz": "0.1", "tid": 77, "time": MS + 5, "users": []}
sample(
    "hyperliquid-stream",
    "btcusd_20231114",
    "\n".join(
        [
            f"{T + 7_000_000} " + line(channel="l2Book", data=json.loads(HYPE_BOOKS[0])["raw"]["data"]),
            f"{T + 8_000_000} " + line(channel="trades", data=[PRINT, PRINT | {"side": "A", "tid": 78}]),
            f"{T + 9_000_000} " + line(channel="pong"),
        ]
    ),
    Market("hyperliquid", "BTC", "2023-11-14"),
    HYPE,
    [*HYPE_ROWS[:3], (BUY, 365010, 10000, 77), (SELL, 365010, 10000, 78)],
    T,
    T + 7_000_000,
    damage=(
        Damage(2, b'"side":"A"', b'"side":"S"', "bad-side"),
        Damage(2, b'"coin":"BTC"', b'"coin":"ETH"', "wrong-symbol"),
        Damage(2, b"1", b"x", "unreadable", 2),
    ),
)


def fill(user: str, side: str, crossed: bool, tid: int, direction: str = "Open Long", **more) -> list:
    fields = {
        "coin": "BTC",
        "px": "36500",
        "sz": "0.2",
        "side": side,
        "time": MS,
        "startPosition": "0",
        "dir": direction,
    }
    return [user, fields | {"crossed": crossed, "tid": tid, "hash": "0x", "oid": 1, "fee": "0"} | more]


def block(number: int, *events: list) -> str:
    stamp = str(np.datetime64(T + number * 10**6 + 1_000, "ns"))
    return line(local_time=stamp, block_time=stamp, block_number=number, events=list(events))


FORCED = {"liquidation": {"liquidatedUser": "u", "markPx": "36500", "method": "market"}}
sample(
    "hyperliquid-fills",
    "hourly/20231114/22",
    "\n".join(
        [
            block(1, fill("a", "B", False, 5), fill("b", "A", True, 5, "Close Long", **FORCED)),
            block(2),
            block(3, fill("c", "B", False, 6, "Auto-Deleveraging"), fill("d", "A", False, 6, "Auto-Deleveraging")),
            block(
                4, fill("a", "B", True, 7, coin="ETH", px="2000.01"), fill("b", "A", False, 7, coin="ETH", px="2000.01")
            ),
        ]
    ),
    Market("hyperliquid", "BTC", "2023-11-14"),
    HYPE,
    [(SELL, 365000, 20000, 5), (Row.LIQUIDATION | 16, 365000, 20000, 5), (Row.OFF_BOOK, 365000, 20000, 6)],
    T,
    T + 1_001_000,
    damage=(
        Damage(3, b'"36500"', b'"36500.05"', "off-grid"),
        Damage(3, b'"side":"B"', b'"side":"S"', "bad-side"),
        Damage(3, b'"px"', b'"xp"', "unreadable"),
    ),
)
