"""The command that replays an hour of which only trades are known, on trades made up here."""

import gzip

import numpy as np
import pytest

from tests import thin_day

DAY_US = 1_760_054_400_000_000  # 10 October 2025
FIRST, LAST = 20 * 3_600 + 45 * 60, 22 * 3_600 + 5 * 60  # seconds of the day
NAMES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"


def write(folder, name: str, symbol: str, spread: float):
    """A trade every 5 s around a price that falls by a third at 21:20 and comes half back."""
    lines = []
    for number, second in enumerate(range(FIRST, LAST, 5)):
        fall = np.interp(second, (21.33 * 3_600, 21.4 * 3_600, 21.6 * 3_600), (0, 1, 0.5))
        price = round(28 * (1 - fall / 3) + (spread if number % 2 else 0), 2)
        at = DAY_US + second * 1_000_000
        side = "buy" if number % 2 else "sell"
        lines.append(f"{name},{symbol},{at},{at + 5_000},{number + 1},{side},{price:.2f},10\n")
    path = folder / f"{name}_trades_2025-10-10_{symbol}.csv.gz"
    path.write_bytes(gzip.compress((NAMES + "".join(lines)).encode()))
    return path


@pytest.fixture
def files(tmp_path):
    return write(tmp_path, "binance-delivery", "AVAXUSD_PERP", 0.01), write(tmp_path, "coinbase", "AVAX-USD", 0.02)


def test_the_hour_runs_from_prints_and_bars_alone(files):
    *head, row, prints = thin_day.table(*files, 1_000_000, 1)
    assert len(head) == 2
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == len(thin_day.HEAD)
    assert float(cells[3]) == pytest.approx(28 * 2 / 3, rel=0.02)  # the lowest mark
    assert 100 < int(cells[4].replace(",", "")) < 2_000
    assert sum(int(share.strip("%")) for share in cells[6:9]) in range(98, 103)
    assert prints.startswith("AVAXUSD_PERP: prints at_levels ")


def test_bars_hold_the_prices_of_their_seconds(tmp_path):
    second = np.arange(120, 300)
    price = np.where(second == 150, 5.0, np.where(second == 170, 9.0, 7.0))
    thin_day.write_bars(tmp_path / "deep/bars.csv", second, price)
    lines = (tmp_path / "deep/bars.csv").read_text().splitlines()
    assert lines[1].split(",")[:7] == ["120000", "7.00000000", "9.00000000", "5.00000000", "7.00000000", "0", "179999"]
    assert len(lines) == 4
