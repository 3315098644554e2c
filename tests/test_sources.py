"""Source files: whatever they are packed in, the same bytes come out; what cannot be read is refused with its place."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import Rows, SourceFile, kept, sources
from perpsim.replay.tape import MORE, Row

TEXT = b"".join(b"%d,some text\n" % number for number in range(30_000))


def arrow(kind: str, data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, kind) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def tar(**members: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def zipped(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


PACKED = {
    "plain.csv": TEXT,
    "named-wrongly.zip": gzip.compress(TEXT),
    "two-streams.gz": gzip.compress(TEXT[:999]) + gzip.compress(TEXT[999:]),
    "day.zst": arrow("zstd", TEXT),
    "day.lz4": arrow("lz4", TEXT),
    "day.zip": zipped(**{"day.csv": TEXT}),
    "day.tar": tar(**{"day.csv": TEXT}),
    "day.tar.gz": gzip.compress(tar(**{"day.csv": TEXT})),
    "zip-of-gz.zip": zipped(**{"day.csv.gz": gzip.compress(TEXT)}),
}


@pytest.mark.parametrize("name", PACKED)
def test_any_packing(tmp_path, name):
    (tmp_path / name).write_bytes(PACKED[name])
    (found,) = sources(tmp_path / name)
    assert found.open().read() == TEXT
    assert found.head() == TEXT[: 1 << 16]
    with found.open() as file:
        assert file.read(7) + file.readline() == TEXT[: TEXT.index(b"\n") + 1]


def test_folders_and_archives_are_opened_in_the_order_of_names(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.csv").write_bytes(TEXT)
    (tmp_path / "a.zip").write_bytes(zipped(y=b"1", x=b"2"))
    (tmp_path / "a.zip.CHECKSUM").write_text("0")
    (tmp_path / ".hidden").write_text("0")
    found = sources(tmp_path)
    assert [each.place.removeprefix(str(tmp_path)) for each in found] == ["/a.zip/x", "/a.zip/y", "/b/one.csv"]
    assert [each.name for each in found] == ["x", "y", "one.csv"]


def test_what_is_no_source(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "cut.zst").write_bytes(PACKED["day.zst"][:200])
    (tmp_path / "cut.gz").write_bytes(gzip.compress(TEXT)[:30])
    (tmp_path / "cut.zip").write_bytes(PACKED["day.zip"][:3_000])
    for call, wrong in (
        (lambda: sources([]), "no file was given"),
        (lambda: sources(tmp_path / "absent"), r"absent: cannot be opened \(No such file"),
        (lambda: sources(tmp_path / "folder"), "folder: holds no files"),
        (lambda: sources(tmp_path / "cut.zip"), "cut.zip: the compressed stream is damaged"),
        (lambda: sources(tmp_path / "empty")[0].head(), "empty: is empty"),
        (lambda: sources(tmp_path / "cut.gz")[0].head(), "cut.gz, line 1: the compressed stream is cut short"),
        (lambda: sources(tmp_path / "cut.zst")[0].head(), "cut.zst, line 1: the compressed stream is"),
    ):
        with pytest.raises(InputError, match=wrong):
            call()


def test_rows_taken_out_leave_whole_messages():
    count = 8
    code = np.full(count, Row.LEVEL, np.uint8)
    code[[0, 1, 3, 4, 6]] |= MORE  # messages: 0-2, 3-5, 6-7
    numbers = np.arange(count)
    rows = Rows(numbers, numbers, code, numbers, numbers, numbers, SourceFile(Path("x")), numbers + 1)
    found = kept(rows, np.array([1, 1, 0, 0, 0, 0, 1, 1], bool))
    assert found.line.tolist() == [1, 2, 7, 8]
    assert (found.code & MORE != 0).tolist() == [True, False, True, False]
    assert len(kept(rows, np.zeros(count, bool)).code) == 0
    assert kept(rows, np.ones(count, bool)) is rows
