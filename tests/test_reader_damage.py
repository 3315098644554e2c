"""Every kind of damage to a Binance stream capture is refused in one sentence that names the file and the line."""

import gzip
import json
from pathlib import Path

import pytest
from perpsim.replay.errors import InputError
from perpsim.replay.import_plan import Given
from perpsim.replay.importing import read as read_any

RECORDINGS = Path(__file__).resolve().parent.parent / "replay" / "recordings"
PAIR = [RECORDINGS / f"btcusdt_{day}.dat.gz" for day in ("20230404", "20230405")]


def read(paths) -> object:
    return read_any(paths, Given("binance-streams"))


@pytest.fixture(scope="module")
def head() -> list[str]:
    """The first lines of the pair: a snapshot, depth, trades, quotes and one mark."""
    with gzip.open(PAIR[0], "rt") as file:
        found = [next(file).rstrip("\n") for _ in range(120)]
    assert {"depth", "trade", "markPrice", "bookTicker"} == {line.split("@")[1].split('"')[0] for line in found[20:]}
    return found


def save(path: Path, found: list[str]) -> Path:
    path.write_text("\n".join(found) + "\n")
    return path


def place(found: list[str], stream: str, which: int = 0) -> int:
    """Index of a line of a stream; `snapshot` is a stream here."""
    mark = "lastUpdateId" if stream == "snapshot" else f"@{stream}"
    return [number for number, line in enumerate(found) if mark in line[:80]][which]


def sub(line: str, field: str, value) -> str:
    """The line with another value of a field of its message, or of the snapshot."""
    stamp, body = line.split(" ", 1)
    message = json.loads(body)
    message.get("data", message)[field] = value
    return f"{stamp} {json.dumps(message, separators=(',', ':'))}"


def level(price: str, size: str):
    return lambda line: sub(line, "a", [["28145.20", "1.000"], [price, size]])


def field(name: str, value):
    return lambda line: sub(line, name, value)


# A name, the stream whose third line is damaged (the only one of snapshots, the first of marks), how, and what is said.
DAMAGE = [
    ("cut line", "depth", lambda line: line[:150], "no depth message"),
    ("cut in the stream's name", "trade", lambda line: line[:35], "no capture message"),
    ("cut before the message", "trade", lambda line: line[:17], "not with a receive time"),
    ("empty line", "trade", lambda line: "", "not with a receive time"),
    ("text", "trade", lambda line: "connection lost", "not with a receive time"),
    ("no receive time", "trade", lambda line: line.split(" ", 1)[1], "not with a receive time"),
    ("letters in the time", "trade", lambda line: "16806x" + line[6:], "not with a receive time"),
    ("time in seconds", "bookTicker", lambda line: line[:10] + line[16:], "not with a receive time"),
    ("no object", "bookTicker", lambda line: line[:17] + "[1,2]", "no capture message"),
    ("broken quote", "bookTicker", lambda line: line[:-3], "no quote message"),
    ("strange stream", "trade", lambda line: line.replace("@trade", "@kline_1m"), "stream 'btcusdt@kline_1m'"),
    ("partial book", "depth", lambda line: line.replace("@depth", "@depth20"), "stream 'btcusdt@depth20@0ms'"),
    ("no stream", "trade", lambda line: line[:17] + '{"result":null,"id":1}', "no stream message and no snapshot"),
    ("other market", "trade", field("s", "ETHUSDT"), "of ETHUSDT, but this is a tape of BTCUSDT"),
    ("spot trade", "trade", field("X", ""), "of spot, but this is a tape of binance-usdm"),
    ("price off the grid", "depth", level("28145.25", "1.000"), "price is 28145.25, not a multiple of 0.1"),
    ("size off the grid", "depth", level("28145.30", "1.0005"), "size is 1.0005, not a multiple of 0.001"),
    ("negative size", "depth", level("28145.30", "-1.000"), "size is -1000 lots, it must be above zero"),
    ("zero price", "depth", level("0.00", "1.000"), "price is 0 ticks, it must be above zero"),
    ("no number", "depth", level("28145.30", "much"), "'much' is not a decimal number"),
    ("too long a number", "depth", level("9" * 25, "1"), "is not a decimal number of at most"),
    ("number beyond 64 bits", "depth", level("9" * 18 + ".0", "1"), "must be above zero|not a multiple|decimal number"),
    ("empty number", "depth", level("28145.30", ""), "'' is not a decimal number"),
    ("level of one", "depth", field("b", [["28145.20"]]), "list of levels is unreadable"),
    ("levels of text", "depth", field("b", "28145.20"), "list of levels is unreadable"),
    ("text in the ids", "depth", field("u", "x"), "no depth message"),
    ("ids upside down", "depth", field("U", 2**60), "first id U is above its last id u"),
    ("missing id", "depth", field("pu", -1), "of spot, but this is a tape of binance-usdm"),
    ("other previous id", "depth", field("pu", 7), "the depth updates break: this one follows id 7"),
    ("lower ids", "depth", lambda line: sub(sub(line, "u", 9), "U", 8), "update ids run back from 27102"),
    ("trade off the grid", "trade", field("p", "28145.25"), "price is 28145.25, not a multiple of 0.1"),
    ("trade of nothing", "trade", field("q", "0.000"), "size is 0 lots, it must be above zero"),
    ("trade for nothing", "trade", field("p", "0.00"), "price is 0 ticks, it must be above zero"),
    ("negative trade", "trade", field("q", "-0.001"), "size is -1 lots, it must be above zero"),
    ("size as a number", "trade", field("q", 0.001), "no trade message"),
    ("no maker flag", "trade", field("m", None), "no trade message"),
    ("no time", "trade", field("T", 0), "exchange time is 0 ns"),
    ("negative time", "trade", field("T", -1), "no trade message"),
    ("other year", "trade", field("T", 1_580_652_700_452), "exchange and receive time lie 99999999 s apart"),
    ("time in the future", "depth", field("T", 1_780_652_700_452), "exchange and receive time lie 99999999 s apart"),
    ("zero mark", "markPrice", field("p", "0.00000000"), "the mark price is not above zero"),
    ("negative index", "markPrice", field("i", "-1"), "the index price is not above zero"),
    ("mark as a number", "markPrice", field("p", 28147.27), "no mark message"),
    ("rate too fine", "markPrice", field("r", "0.00000000001"), "r is no multiple of 0.000000001"),
    ("no next funding", "markPrice", field("T", 0), "the next funding time is not above zero"),
    ("quote off the grid", "bookTicker", field("b", "28145.25"), "bid is 28145.25, not a multiple of 0.1"),
    ("snapshot off the grid", "snapshot", field("bids", [["28145.25", "1"]]), "price is 28145.25, not a multiple"),
    ("empty snapshot", "snapshot", lambda line: sub(sub(line, "bids", []), "asks", []), "number of levels"),
    ("half a snapshot", "snapshot", lambda line: line[:5000], "no capture message"),
    ("early snapshot", "snapshot", field("lastUpdateId", 5), "snapshot of id 5 joins no depth update"),
    ("late snapshot", "snapshot", field("lastUpdateId", 2**60), "joins no depth update"),
]


@pytest.mark.parametrize(("stream", "change", "said"), [row[1:] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_damaged_line_is_named(tmp_path, head, stream, change, said):
    number = place(head, stream, 0 if stream in ("snapshot", "markPrice") else 2)
    damaged = [*head]
    damaged[number] = change(head[number])
    path = save(tmp_path / "capture.txt", damaged)
    with pytest.raises(InputError, match=said) as caught:
        read(path)
    error = caught.value
    assert (error.path, error.line) == (str(path), number + 1)
    assert str(error).startswith(f"{path}, line {number + 1}: ") and "\n" not in str(error)


def test_line_is_counted_in_its_own_file(tmp_path, head):
    first, second = save(tmp_path / "first", head[:60]), save(tmp_path / "second", [*head[60:], "lost"])
    with pytest.raises(InputError, match=f"{second}, line {len(head) - 60 + 1}: "):
        read([first, second])


def test_missing_update_is_named(tmp_path, head):
    number = place(head, "depth", 2)
    path = save(tmp_path / "capture", head[:number] + head[number + 1 :])
    with pytest.raises(InputError, match=f"line {place(head, 'depth', 3)}: the depth updates break") as caught:
        read(path)
    assert "repair by update-gap" in str(caught.value)


def test_not_utf8_is_named(tmp_path, head):
    number = place(head, "trade", 2)
    path = save(tmp_path / "capture", head)
    broken = head[number].encode().replace(b"MARKET", b"\xff\xfe")
    path.write_bytes(path.read_bytes().replace(head[number].encode(), broken))
    with pytest.raises(InputError, match=f"capture, line {number + 1}: the line is no trade message"):
        read(path)


def test_damaged_gzip_is_named(tmp_path):
    data = PAIR[0].read_bytes()
    path = tmp_path / "capture.gz"
    for cut in (30, 100_000, len(data) - 4):
        path.write_bytes(data[:cut])
        with pytest.raises(InputError, match=r"capture.gz, line \d+: the compressed stream is cut short"):
            read(path)
    path.write_bytes(data[:300_000] + b"\x00\xff" * 8 + data[300_016:])
    with pytest.raises(InputError, match=r"capture.gz, line \d+: "):
        read(path)
    path.write_bytes(data[:-8] + bytes(8))
    with pytest.raises(InputError, match=r"capture.gz, line \d+: the compressed stream is (damaged|cut short)"):
        read(path)


def test_files_that_are_no_capture(tmp_path):
    for content, said in ((b"", "is empty"), (bytes(100), "not with a receive time"), (b"\x89PNG\r\n", "receive time")):
        path = tmp_path / "file"
        path.write_bytes(content)
        with pytest.raises(InputError, match=said):
            read(path)
    with pytest.raises(InputError, match=r"absent: cannot be opened \(No such file"):
        read(tmp_path / "absent")
    with pytest.raises(InputError, match="no file was given"):
        read([])


def test_files_out_of_order_are_refused():
    with pytest.raises(InputError, match=r"btcusdt_20230404.dat.gz, line 18: the depth update ids run back .* order"):
        read(PAIR[::-1])
    with pytest.raises(InputError, match=r"btcusdt_20230405.dat.gz: holds no depth snapshot"):
        read(PAIR[1])
