"""External sorting: what comes out is one stable sort, whatever the sizes of runs, buffers and batches."""

import numpy as np
import pytest
from perpsim.replay import sorting
from perpsim.replay.sorting import RANKED, Run, Sorter, between, merged
from perpsim.replay.tape import COLUMNS

T0 = 1_700_000_000 * 10**9


@pytest.fixture(params=["memory", "folder"])
def folder(request, tmp_path, monkeypatch):
    monkeypatch.setattr(sorting, "SORT_ROWS", 64)
    monkeypatch.setattr(sorting, "MERGE_ROWS", 64)
    monkeypatch.setattr(sorting, "READ_ROWS_MIN", 4)
    return tmp_path if request.param == "folder" else None


def rows(rng: np.random.Generator, count: int, spread: int, step: int) -> dict[str, np.ndarray]:
    """Times that run forward by `step` a row, disturbed by `spread`; ids number the rows."""
    batch = {name: rng.integers(0, 50, count).astype(dtype) for name, dtype in RANKED.items()}
    batch["time_ns"] = T0 + np.arange(count) * step + rng.integers(-spread, spread + 1, count)
    batch["rank"] = rng.integers(0, 3, count).astype(np.uint8)
    batch["id"] = np.arange(count)
    return batch


def sorted_runs(rng: np.random.Generator, batch: dict[str, np.ndarray], folder) -> list[Run]:
    sorter = Sorter(folder)
    first = 0
    while first < len(batch["id"]):
        last = first + int(rng.integers(1, 40))
        sorter.add({name: column[first:last] for name, column in batch.items()})
        first = last
    return sorter.close()


def same(found, batches: list[dict[str, np.ndarray]]) -> None:
    """found has the rows of the batches in one stable order of time and rank."""
    whole = {name: np.concatenate([batch[name] for batch in batches]) for name in RANKED}
    order = np.lexsort((whole["rank"], whole["time_ns"]))
    found = list(found)
    ours = {name: np.concatenate([batch[name] for batch in found]) for name in COLUMNS}
    for name in COLUMNS:
        assert np.array_equal(ours[name], whole[name][order]), name


@pytest.mark.parametrize(("spread", "step"), [(0, 1), (3, 1), (200, 1), (0, 0), (2, 0), (10**6, 0), (0, -1), (5, -3)])
@pytest.mark.parametrize("seed", range(4))
def test_one_file(folder, spread, step, seed):
    rng = np.random.default_rng(seed)
    batch = rows(rng, int(rng.integers(1, 700)), spread, step)
    same(merged(between(sorted_runs(rng, batch, folder), 0, 2**62)), [batch])


def test_a_stream_in_near_order_is_one_run(folder):
    rng = np.random.default_rng(1)
    batch = rows(rng, 5_000, 10, 1)
    assert len(sorted_runs(rng, batch, folder)) == 1


@pytest.mark.parametrize("seed", range(6))
def test_several_files_keep_their_order_at_equal_times(folder, seed):
    rng = np.random.default_rng(seed)
    batches = [rows(rng, int(rng.integers(1, 300)), int(rng.integers(0, 40)), int(rng.integers(0, 3))) for _ in "abcde"]
    runs = []
    for number, batch in enumerate(batches):
        batch["receive_ns"][:] = number
        place = folder and folder / str(number)
        if place:
            place.mkdir()
        runs += sorted_runs(rng, batch, place)
    same(merged(between(runs, 0, 2**62)), batches)


def test_a_span_of_time(folder):
    rng = np.random.default_rng(9)
    batch = rows(rng, 900, 30, 1)
    runs = sorted_runs(rng, batch, folder)
    for start, end in ((T0 + 100, T0 + 101), (T0 + 300, T0 + 600), (0, T0 - 100), (T0 + 899, 2**62)):
        inside = (batch["time_ns"] >= start) & (batch["time_ns"] < end)
        found = list(merged(between(runs, start, end)))
        if inside.any():
            same(found, [{name: column[inside] for name, column in batch.items()}])
        else:
            assert not found


def test_a_run_that_was_cut_is_noticed(tmp_path):
    run = Run(tmp_path, 0)
    run.append(rows(np.random.default_rng(0), 10, 0, 1))
    assert run.whole() and Run(tmp_path, 0, 10).whole()
    with (tmp_path / "0.price").open("ab") as file:
        file.truncate(79)
    assert not run.whole() and not Run(tmp_path, 1, 10).whole()
