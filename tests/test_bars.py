"""Marks and indices that are bars only: what a replay is told of a bar, and when; how results say so."""

import numpy as np
import pytest
from perpsim.core import EventKind
from perpsim.replay import outcomes, tape_tools
from perpsim.replay.bars import PARTS, ROWS_A_BAR, Part, driven
from perpsim.replay.check import check
from perpsim.replay.check_text import told
from perpsim.replay.contents import contents
from perpsim.replay.errors import InputError
from perpsim.replay.importing import import_files
from perpsim.replay.plan import make_plan
from perpsim.replay.runner import Runner
from perpsim.replay.scenario import parse
from perpsim.replay.story import tell
from perpsim.replay.tape import Row, open_tape
from small_tape import QUOTE, SECOND, START_NS, Recording

NAMES = (
    "open_time open high low close volume close_time quote_volume count taker_buy_volume taker_buy_quote_volume ignore"
)
HEAD = NAMES.replace(" ", ",") + "\n"
MINUTE_MS = 60_000
START_MS = START_NS // 1_000_000 // MINUTE_MS * MINUTE_MS
BARS = [  # open, low, high, close
    (1000, 998, 1001, 999), (999, 940, 1000, 990), (990, 989, 1010, 1005), (1005, 1000, 1006, 1001),
]  # fmt: skip
SCENARIO = """
[run]
interval = 1
seed = 2
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
store = "store"
synthetic = {{ depth = 1, levels = 100 }}
{keys}
[fund]
initial = 10_000
[population]
accounts = 50
open_interest = 2
leverage = [{{ leverage = 25, weight = 1 }}, {{ leverage = 100, weight = 1 }}]
"""


def folder_of(tmp_path, bars=BARS, kinds=("mark", "index")):
    """Trades each second and bars of minutes, as the archive has them."""
    for kind in kinds:
        folder = tmp_path / f"raw/futures/um/daily/{kind}PriceKlines/BTCUSDT/1m"
        folder.mkdir(parents=True)
        lines = [
            f"{at},{o},{high},{low},{close},0,{at + MINUTE_MS - 1},0,{len(kind)},0,0,0\n"
            for at, (o, low, high, close) in zip(range(START_MS, 1 << 50, MINUTE_MS), bars, strict=False)
        ]
        (folder / "BTCUSDT-1m-2023-11-14.csv").write_text(HEAD + "".join(lines))
    trades = tmp_path / "raw/futures/um/daily/trades/BTCUSDT"
    trades.mkdir(parents=True)
    rows = [
        f"{n},{1000 - n % 3 / 10:.1f},0.01,10,{START_MS + n * 1_000},{'true' if n % 2 else 'false'}\n"
        for n in range(1, len(bars) * 60)
    ]
    (trades / "BTCUSDT-trades-2023-11-14.csv").write_text(
        "id,price,qty,quote_qty,time,is_buyer_maker\n" + "".join(rows)
    )
    import_files([tmp_path / "raw"], tmp_path / "store")
    return tmp_path


def scenario(tmp_path, keys: str):
    return parse(SCENARIO.format(keys=keys).encode(), tmp_path / "scenario.toml", tmp_path)


class Marks:
    """A sink of (seconds after the first minute, mark in whole money)."""

    def __init__(self, kind=EventKind.MARK):
        self.kind, self.told = kind, []

    def add(self, events):
        for event in events[events["kind"] == self.kind]:
            self.told.append(((int(event["time_ns"]) - START_MS * 1_000_000) / SECOND, int(event["value"]) // QUOTE))


def marks(tmp_path, keys: str, kind=EventKind.MARK):
    sink = Marks(kind)
    Runner(make_plan(scenario(tmp_path, keys)), sink).run()
    return sink.told


END = 59.999


@pytest.mark.parametrize(("keys", "expected"), [
    ("", [(END, 999), (60 + END, 990), (120 + END, 1005)]),  # the last bar ends after the last trade, with the tape
    ('bars = "open"', [(0, 1000), (60, 999), (120, 990), (180, 1005)]),
    ('bars = "open-low-high-close"', [
        (0, 1000), (19.999666666, 998), (39.999333332, 1001), (END, 999), (60, 999),
        (79.999666666, 940), (99.999333332, 1000), (119.999, 990),
    ]),
    ('bars = "open-high-low-close"', [(0, 1000), (19.999666666, 1001), (39.999333332, 998), (END, 999)]),
])  # fmt: skip
def test_what_a_path_tells_and_when(tmp_path, keys, expected):
    told = marks(folder_of(tmp_path), f'mark = "taped"\n{keys}')
    assert told[: len(expected)] == [(pytest.approx(at, abs=1e-6), price) for at, price in expected]


@pytest.mark.parametrize("path", ["close", "open"])
def test_nothing_of_a_bar_is_known_ahead_of_its_time(tmp_path, path):
    """Another low, high and close of the third bar: the same run until it is over."""
    told = []
    for number, third in enumerate(((990, 989, 1010, 1005), (990, 500, 2000, 600))):
        bars = [*BARS[:2], third, (third[3], third[3], third[3], third[3])]
        folder = folder_of(tmp_path / str(number), bars)
        sink = Everything()
        Runner(make_plan(scenario(folder, f'mark = "taped"\nbars = "{path}"')), sink).run()
        told.append(np.concatenate(sink.events))
    over = (START_MS + 3 * MINUTE_MS - 1) * 1_000_000
    early = [events[events["time_ns"] < over] for events in told]
    assert len(early[0]) > 100
    assert early[0].tobytes() == early[1].tobytes()
    assert told[0].tobytes() != told[1].tobytes()


class Everything:
    def __init__(self):
        self.events = []

    def add(self, events):
        self.events.append(events.copy())


def test_a_computed_mark_takes_index_bars_and_no_mark_bars(tmp_path):
    folder = folder_of(tmp_path)
    plan = make_plan(scenario(folder, ""))
    assert plan.markets[0].bars == ((Row.INDEX, 4),)
    assert marks(folder, "", EventKind.INDEX)[:2] == [(pytest.approx(END), 999), (pytest.approx(60 + END), 990)]
    assert len(marks(folder, "")) > 60  # a mark a second


def test_prices_that_are_recorded_are_taken_before_bars():
    """With one real mark on the tape, bars of the mark are left out; those of the index are not."""
    recording = Recording().trade(0, 0, 10_000, 1).mark(1, 1000)
    for kind in (Row.MARK, Row.INDEX):
        for part in Part:
            recording.rows.append((START_NS + 2 * SECOND, int(Row.BAR), kind * PARTS + part, 7 * QUOTE))
    found = contents(recording.tape())
    assert (found.bars, found.rows[Row.MARK]) == ({Row.MARK: 1, Row.INDEX: 1}, 1)
    batch = driven(recording.tape().columns(), "close", (Row.INDEX,))
    assert batch["code"].tolist() == [Row.TRADE, Row.MARK, Row.INDEX]
    assert batch["price"].tolist() == [10_000, 0, 0]


def test_results_say_that_prices_are_bars(tmp_path):
    folder = folder_of(tmp_path)
    summary = outcomes.run(scenario(folder, 'mark = "taped"\nbars = "open-high-low-close"'), folder / "out")
    assert summary["markets"]["BTCUSDT"]["tape"]["bars"] == {"path": "open-high-low-close", "index": 4, "mark": 4}
    index, mark = summary["labels"][1:]
    assert mark.startswith("BTCUSDT: mark prices are 4 bars, walked through as open, high, low, close")
    assert "index prices are 4 bars" in index and index in tell(summary)
    assert outcomes.verify(folder / "out") == []


def test_the_card_of_a_tape_counts_bars_and_how_far_they_reach(tmp_path):
    (facts,) = tape_tools.info(folder_of(tmp_path) / "store")
    assert facts["quality"]["counts"]["mark_bars"] == 4
    assert facts["quality"]["counts"]["rows.bar"] == 4 * 2 * ROWS_A_BAR
    reach = facts["quality"]["samples"]["mark_bar_reach_ppm"]
    assert (reach["n"], reach["max"]) == (4, (990 - 940) * 10**6 // 990)


def test_the_quality_card_says_that_prices_between_are_unknown(tmp_path):
    folder = folder_of(tmp_path)
    for path in ("raw", "store"):
        (card,) = check([folder / path])
        assert card["bars"]["mark"]["n"] == 4
        (line,) = (line for line in told(card) if line.strip().startswith("mark prices"))
        assert "4 bars" in line and line.endswith("prices in between are unknown")
    (raw,) = check([folder / "raw"])
    assert "up to 5.05 % beyond open and close" in "\n".join(told(raw))
    assert any("a replay needs a stated one" in line for line in told(raw))


def test_contents_are_the_same_counted_and_read(tmp_path):
    stored = open_tape(folder_of(tmp_path) / "store/venue=binance-usdm/market=BTCUSDT")
    counted = contents(stored)
    assert counted == contents(stored.load())
    object.__setattr__(stored, "quality", {})
    assert counted == contents(stored)


def test_a_path_for_a_recording_without_bars_is_refused(tmp_path):
    folder = folder_of(tmp_path, kinds=())
    with pytest.raises(
        InputError, match=r"key tape\[0\].bars: the recording has no bars of mark or index; take the key"
    ):
        make_plan(scenario(folder, 'bars = "open"'))
    with pytest.raises(InputError, match="'middle' is impossible"):
        make_plan(scenario(folder, 'bars = "middle"'))
