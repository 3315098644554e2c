"""Run by test_memory.py with failing_malloc.c preloaded: `python memory_child.py SETTING COMMANDS.npy once|for-good`.

Does one thing after the other with the n-th allocation failing, n = 1, 2, 3 ... until nothing failed. Writes JSON: by
thing, what was said and how often. An assertion that fails ends it.
"""

import ctypes
import gc
import json
import sys
from collections import Counter

import numpy as np
from perpsim.core import COMMAND, Engine, Kernel, Kind
from stream_settings import BY_NAME

SHIM = ctypes.CDLL(None)
SETTING = BY_NAME[sys.argv[1]]
COMMANDS = np.load(sys.argv[2])
FOR_GOOD = sys.argv[3] == "for-good"
LEFT_OUT = 3_000  # allocations that never end
ROWS = 5_000


def new_engine() -> Engine:
    return Engine(SETTING.venue, SETTING.markets, SETTING.accounts, assets=SETTING.assets)


def failing(number, action):
    """(what the action returned, the error that it ended with, whether an allocation failed)."""
    value = error = None
    SHIM.fail_at(ctypes.c_long(number), FOR_GOOD)
    try:
        value = action()
    except (MemoryError, SystemError) as caught:  # the latter is NumPy's, where its reductions find no memory
        error = caught
    finally:
        seen = SHIM.allocations()
        SHIM.fail_at(ctypes.c_long(0), 0)
    return value, error, seen >= number


def every_allocation(thing) -> Counter:
    """`thing(fail)` sets up anew, calls `fail(action)` once, and looks at what is left. What was said, how often.

    Twice: the interpreter allocates for itself now and then, and the number that it takes is one that the core misses.
    """
    said = Counter()
    for _ in range(2):
        one_allocation_after_the_other(thing, said)
    return said


def one_allocation_after_the_other(thing, said: Counter) -> None:
    for number in range(1, LEFT_OUT):
        outcome = []

        def fail(action, number=number, outcome=outcome):
            outcome.append(failing(number, action))
            return outcome[0][:2]

        thing(fail)
        _, error, failed = outcome[0]
        said[str(error) if error else "taken all the same"] += failed
        if number % 50 == 0:
            gc.collect()
        if not failed:
            return
    raise AssertionError("allocations without end")


def refuses_all(engine: Engine) -> None:
    """An engine that stopped says so and does nothing more."""
    assert "memory" in engine.broken, engine.broken
    for action in (lambda: engine.apply(COMMANDS[:1]), lambda: engine.submit(kind=Kind.TICK), engine.snapshot):
        try:
            action()
        except RuntimeError as error:
            assert "has stopped" in str(error)
        else:
            raise AssertionError("a broken engine went on")


def made(fail) -> None:
    engine, error = fail(new_engine)
    assert (engine is None) == (error is not None)
    if engine:
        engine.apply(COMMANDS)
        assert engine.digest() == AFTER


def applied(fail) -> None:
    engine = new_engine()
    first = engine.apply(COMMANDS[:10])  # kept, so the next events need a buffer of their own
    before = engine.digest()
    events, error = fail(lambda: engine.apply(COMMANDS[10:]))
    if error and engine.broken:
        return refuses_all(engine)
    if error:  # before the first command
        assert engine.digest() == before
        events = engine.apply(COMMANDS[10:])
    assert engine.digest() == AFTER and len(events) == EVENTS - len(first)


def submitted(fail) -> None:
    engine = new_engine()
    calls = [{name: int(row[name]) for name in COMMAND.names if name != "venue"} for row in COMMANDS]

    def action():
        for call in calls:
            engine.submit(**call)
        return engine.drain()

    _, error = fail(action)
    if error and engine.broken:
        return refuses_all(engine)
    assert error is None and engine.digest() == AFTER


def saved(fail) -> None:
    engine = new_engine()
    engine.apply(COMMANDS)
    data, error = fail(engine.snapshot)
    assert engine.digest() == AFTER and engine.broken is None
    if not error:
        assert Engine.restore(data).digest() == AFTER
    assert engine.snapshot() == SAVED


def restored(fail) -> None:
    engine, error = fail(lambda: Engine.restore(SAVED))
    assert (engine is None) == (error is not None)
    if engine:
        assert engine.digest() == AFTER
        engine.check()


def played(fail) -> None:
    """A tape and scheduled commands through a kernel."""
    engine = new_engine()
    kernel = Kernel([engine])
    columns = tape()

    def action():
        stream = kernel.add_stream(0, 0)
        kernel.feed(stream, columns)
        kernel.finish(stream)
        kernel.schedule(LATER)
        kernel.run()
        return engine.drain()

    _, error = fail(action)
    if error and engine.broken:
        return refuses_all(engine)
    if error:  # in the set-up of the kernel: nothing has reached the engine
        assert engine.digest() == new_engine().digest()
        return None
    assert engine.digest() == PLAYED


def tape() -> dict[str, np.ndarray]:
    """Levels that come at ever other prices, and trades between them."""
    rng = np.random.default_rng(7)
    code = np.where(rng.random(ROWS) < 0.1, 2, 1).astype(np.uint8) | (rng.integers(0, 2, ROWS) << 5).astype(np.uint8)
    price = rng.integers(1, SETTING.markets[0]["price_max"], ROWS)
    value = rng.integers(1, 100, ROWS)
    return {"time_ns": T0 + np.arange(ROWS), "code": code, "price": price, "value": value}


def crowded(fail) -> None:
    """More orders than an index begins with, of as many accounts."""
    engine = Engine(SETTING.venue, [SETTING.markets[0] | {"max_orders": 200}], CROWD)
    for first in (0, CROWD // 2):  # few enough that the event buffer stays as it is
        engine.apply(CROWD_COMMANDS[first : min(first + CROWD // 2, CROWD + 1)])
    engine.apply(CROWD_COMMANDS[CROWD : CROWD + 1])
    _, error = fail(lambda: engine.apply(CROWD_COMMANDS[CROWD + 1 :]))
    if error and engine.broken:
        return refuses_all(engine)
    if error:
        engine.apply(CROWD_COMMANDS[CROWD + 1 :])
    assert engine.statistics()["live_orders"] == CROWD


T0 = int(COMMANDS["time_ns"].max())
REFERENCE = new_engine()
EVENTS = len(REFERENCE.apply(COMMANDS))
AFTER, SAVED = REFERENCE.digest(), REFERENCE.snapshot()
LATER = np.zeros(300, COMMAND)
LATER["kind"], LATER["account"], LATER["value"], LATER["time_ns"] = Kind.DEPOSIT, 0, 10**8, T0 + ROWS // 2


def played_whole() -> str:
    engine = new_engine()
    kernel = Kernel([engine])
    kernel.feed(kernel.add_stream(0, 0), tape())
    kernel.finish(0)
    kernel.schedule(LATER)
    kernel.run()
    return engine.digest()


PLAYED = played_whole()
CROWD = 4_300
CROWD_COMMANDS = np.zeros(2 * CROWD + 1, COMMAND)
CROWD_COMMANDS["account"][:CROWD] = CROWD_COMMANDS["account"][CROWD + 1 :] = np.arange(CROWD)
CROWD_COMMANDS["kind"][:CROWD], CROWD_COMMANDS["value"][:CROWD] = Kind.DEPOSIT, 1_000 * 10**8
CROWD_COMMANDS["kind"][CROWD], CROWD_COMMANDS["value"][CROWD] = Kind.SET_MARK, 1_000 * SETTING.markets[0]["tick_value"]
CROWD_COMMANDS["kind"][CROWD + 1 :], CROWD_COMMANDS["price_ticks"][CROWD + 1 :] = Kind.PLACE, 990
CROWD_COMMANDS["size_lots"][CROWD + 1 :] = 100
THINGS = (made, applied, submitted, crowded, saved, restored, played)
sys.stdout.write(json.dumps({thing.__name__: every_allocation(thing) for thing in THINGS}))
