"""Made-up recordings in the layout of the damaged twins, one damage each: it is found on its line, and nothing else."""

import re

import pytest
from perpsim.replay.check import check
from perpsim.replay.readers import READERS
from readers_dbp import DataProcessor
from test_check_files import run

DAY_MS = 1_741_046_400_000  # 2025-03-04
DEPTH_HEAD = (
    "TimestampOfReceive,Stream,EventType,EventTime,TransactionTime,Symbol,FirstUpdateId,FinalUpdateId,"
    "FinalUpdateIdInLastStream,IsAsk,Price,Quantity,PSUnknownField"
)
TRADE_HEAD = (
    "TimestampOfReceive,Stream,EventType,EventTime,TransactionTime,Symbol,TradeId,Price,Quantity,IsBuyerMarketMaker,"
    "XUnknownParameter"
)
SNAPSHOT_HEAD = "TimestampOfReceive,TimestampOfRequest,LastUpdateId,IsAsk,Price,Quantity"
COUNT = 150


def depth(number: int, side: int) -> str:
    """A row of message `number`, which has a bid and an ask and ids of its own."""
    at, last = DAY_MS + 1_000 + 100 * number, 5_000 + 10 * number
    price, lots = f"0.2{3 + side}{number % 10}", 1 + (number + side) % 5
    clocks = f"{at + 2},own@depth,depthUpdate,{at + 1},{at}"
    return f"{clocks},OWNUSD_PERP,{last - 4},{last},{last - 10},{side},{price},{lots},OWNUSD"


def trade(number: int) -> str:
    at = DAY_MS + 1_000 + 700 * number
    clocks = f"{at + 2},own@trade,trade,{at + 1},{at}"
    return f"{clocks},OWNUSD_PERP,{900 + number},0.23{number % 10},{1 + number % 3},{number % 2},MARKET"


def level(number: int) -> str:
    side = number % 2
    return f"{DAY_MS + 258},{DAY_MS + 180},777,{side},{100 + number if side else 100 - number / 10},2.5"


FILES = {  # by kind: name, header, rows
    "depth": (
        "binance_difference_depth_stream_coin_m_futures_ownusd_perp_04-03-2025.csv", DEPTH_HEAD,
        [depth(number, side) for number in range(COUNT) for side in (0, 1)],
    ),
    "trade": (
        "binance_trade_stream_coin_m_futures_ownusd_perp_04-03-2025.csv", TRADE_HEAD,
        [trade(number) for number in range(2 * COUNT)],
    ),
    "snapshot": (
        "binance_depth_snapshot_spot_ownusdt_04-03-2025.csv", SNAPSHOT_HEAD,
        [level(number) for number in range(2 * COUNT)],
    ),
}  # fmt: skip
LAST = 2 * COUNT + 1
DAMAGE = [  # kind, line, column, value, rules; columns that are not named stay
    ("depth", 2, {"Symbol": "OTHER_PERP"}, {"wrong-symbol"}),
    ("depth", 2, {"Price": "0"}, {"bad-price"}),
    ("depth", 4, {"Price": "-1"}, {"bad-price"}),
    ("depth", 4, {"Price": "0.2300001"}, {"off-grid"}),
    ("depth", 5, {"Price": "11.231"}, {"far-level"}),
    ("depth", 5, {"Quantity": "-1"}, {"bad-size"}),
    ("depth", 6, {"EventTime": "0"}, {"bad-time"}),
    ("depth", 6, {"EventTime": "1600046400636"}, {"time-away"}),
    ("depth", 7, {"EventTime": "1741046397101"}, {"late", "time-back"}),
    ("depth", 7, {"TransactionTime": "0"}, {"bad-time"}),
    ("depth", 8, {"IsAsk": "2"}, {"bad-side"}),
    ("depth", 9, {"TimestampOfReceive": "0000000000001"}, {"bad-time"}),
    ("depth", LAST, {"TimestampOfReceive": str(DAY_MS + 86_400_001)}, {"late", "other-day"}),
    ("depth", LAST, {"EventTime": str(DAY_MS - 2), "TimestampOfReceive": str(DAY_MS - 1)}, {"other-day", "time-back"}),
    ("trade", 2, {"TimestampOfReceive": str(DAY_MS + 2_001)}, {"late"}),
    ("trade", 2, {"Price": "-1"}, {"bad-price"}),
    ("trade", 4, {"Price": "0.53089"}, {"far-print"}),
    ("trade", 4, {"Price": "0.1"}, {"far-print"}),
    ("trade", 4, {"Quantity": "0"}, {"bad-size"}),
    ("trade", 4, {"TradeId": "901"}, {"duplicate-id"}),
    ("trade", 4, {"TradeId": "900"}, {"id-back"}),
    ("trade", 4, {"TradeId": "99902000902"}, {"id-jump"}),
    ("trade", 4, {"IsBuyerMarketMaker": "2"}, {"bad-side"}),
    ("trade", LAST, {"TimestampOfReceive": str(DAY_MS + 30_000_000)}, {"late"}),
    ("snapshot", 2, {"TimestampOfReceive": "0000000000001"}, {"bad-time"}),
    ("snapshot", 9, {"Price": "0"}, {"bad-price"}),
    ("snapshot", 9, {"IsAsk": "-1"}, {"bad-side"}),
    ("snapshot", LAST, {"TimestampOfReceive": f"#{DAY_MS + 258}"}, {"unreadable"}),
]
CHAIN = [  # what messages say of their ids: which of their lines are wrong
    ({20: {"FirstUpdateId": "5203", "FinalUpdateId": "5199"}}, {20}),  # it ends before it begins
    ({20: {"FinalUpdateIdInLastStream": "5175"}}, {20}),  # it follows none that there was
    ({20: {"FinalUpdateId": "5190", "FinalUpdateIdInLastStream": "5180"}}, {20}),  # that of the one before again
    ({20: {"FinalUpdateId": "5203"}}, {20}),  # it claims ids of the next
    ({20: None}, {21}),  # it is missing
]


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    monkeypatch.setitem(READERS, "dbp", DataProcessor())


def written(tmp_path, kind: str, changes: dict[int, dict[str, str] | None]):
    """A file whose lines are changed so, or left out."""
    name, head, rows = FILES[kind]
    columns = head.split(",")
    lines = [head]
    for number, row in enumerate(rows, 2):
        changed = changes.get(number, {})
        if changed is not None:
            cells = dict(zip(columns, row.split(","), strict=True)) | changed
            lines.append(",".join(cells.values()))
    (tmp_path / name).write_text("\n".join([*lines, ""]))
    return tmp_path / name


def found(path) -> set[tuple[int, str]]:
    (card,) = check([path])
    told = [(each["line"], each["rule"]) for each in card["findings"]]
    assert len(told) == len(set(told)) and {each["place"] for each in card["findings"]} <= {str(path)}
    assert card["sound"] == (not card["rules"])
    return set(told)


@pytest.mark.parametrize("kind", FILES)
def test_clean(tmp_path, kind):
    assert found(written(tmp_path, kind, {})) == set()


@pytest.mark.parametrize(
    ("kind", "line", "changed", "rules"),
    DAMAGE,
    ids=[f"{kind}-{line}-{'-'.join(changed)}-{number}" for number, (kind, line, changed, _) in enumerate(DAMAGE)],
)
def test_a_damage_is_found_on_its_line(tmp_path, kind, line, changed, rules):
    path = written(tmp_path, kind, {line: changed})
    assert found(path) == {(line, rule) for rule in rules}
    code, text = run(path)
    assert all(re.search(rf"{path.name}:{line}: {rule}: ", text) for rule in rules)
    assert code == (0 if rules <= {"late", "other-day", "far-level", "far-print"} else 1)


@pytest.mark.parametrize(("messages", "wrong"), CHAIN, ids=["backwards", "unknown", "again", "beyond", "missing"])
def test_the_message_whose_ids_are_wrong_is_named(tmp_path, messages, wrong):
    """Message n has the lines 2n + 2 and 2n + 3; after one that is left out, two fewer."""
    changes = {2 * number + 2 + row: changed for number, changed in messages.items() for row in (0, 1)}
    gone = 2 * sum(changed is None for changed in messages.values())
    lines = {(2 * number + 2 + row - gone, "update-gap") for number in wrong for row in (0, 1)}
    assert found(written(tmp_path, "depth", changes)) == lines
