"""The formulas of ADL as Python functions over integers: the same code that the engine runs.

Money may be in any unit, but the same for all amounts of a call; sizes likewise. See adl_scores.pxd and adl_share.pyx
for what the words mean.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from .adl cimport Face, is_queue, score_of
from .adl_light cimport light_step
from .adl_scores cimport offset_allowed
from .adl_share cimport is_share, share_out, weight_of
from .deleverage cimport next_fill, portion
from .state cimport Cut, State
from .units cimport high_word, i128, lots_t, low_word

FACE = ("value", "cost", "gain", "balance", "equity", "maintenance", "share", "leverage", "is_long")


cdef Face face_of(dict fields) except *:
    cdef Face f
    unknown = fields.keys() - set(FACE)
    if unknown:
        raise TypeError(f"{sorted(unknown)[0]!r} is not what a policy sees; known: {', '.join(FACE)}")
    f.value, f.cost, f.gain = fields.get("value", 0), fields.get("cost", 0), fields.get("gain", 0)
    f.balance, f.equity = fields.get("balance", 0), fields.get("equity", 0)
    f.maintenance, f.share = fields.get("maintenance", 0), fields.get("share", 0)
    f.leverage, f.is_long = fields.get("leverage", 1), fields.get("is_long", True)
    return f


def score(int policy, **fields) -> int:
    """Rank of a candidate under a policy that has a queue: highest first. Units: adl_scores.pxd.

    Fields: value, cost (both without sign), gain, balance, equity, maintenance, share; leverage, a whole number;
    is_long. Raises ValueError for a policy without a queue.
    """
    cdef i128 wide
    cdef Face f = face_of(fields)
    if not is_queue(policy):
        raise ValueError(f"policy {policy} has no queue")
    wide = score_of(policy, &f)
    return (int(high_word(wide)) << 64) + int(low_word(wide))


def queue(int policy, candidates) -> list:
    """Positions in `candidates` (each a dict of the fields of `score`), first to be deleveraged first."""
    scores = [score(policy, **fields) for fields in candidates]
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))


def weight(int policy, int64_t lots, **fields) -> int:
    """Weight of a candidate under a policy that cuts everybody at once."""
    cdef i128 wide
    cdef Face f = face_of(fields)
    if not is_share(policy):
        raise ValueError(f"policy {policy} has no shares")
    wide = weight_of(policy, &f, lots)
    return (int(high_word(wide)) << 64) + int(low_word(wide))


def shares(int policy, int64_t wanted, rooms, weights) -> list:
    """Lots that each account gives, in their order: at most `rooms`, `wanted` together. Weights below 2**62.

    Raises ValueError where the rooms do not hold what is wanted, or a number is negative.
    """
    cdef int64_t i, count = len(rooms)
    cdef Cut *cuts
    if not is_share(policy):
        raise ValueError(f"policy {policy} has no shares")
    if len(weights) != count or min(wanted, min(rooms, default=0), min(weights, default=0)) < 0 or sum(rooms) < wanted:
        raise ValueError("shares need a room and a weight for each account, none negative, and room for what is wanted")
    cuts = <Cut *>calloc(count + 1, sizeof(Cut))
    if cuts == NULL:
        raise MemoryError("no memory for an allocation")
    try:
        for i in range(count):
            cuts[i].room = rooms[i]
            cuts[i].wide = <int64_t>weights[i]
            cuts[i].account = <int32_t>i
        share_out(policy, cuts, count, wanted)
        return [cuts[i].lots for i in range(count)]
    finally:
        free(cuts)


def queue_fills(sizes, int64_t wanted) -> list:
    """Lots that each place of a queue gives, first place first: the whole of it, the last one what is still wanted."""
    cdef lots_t left = wanted, part
    fills = []
    for size in sizes:
        part = next_fill(left, size)
        left -= part
        fills.append(part)
    return fills


def moved(int64_t value, int64_t share, int64_t part, int64_t lots) -> int:
    """What `part` of a bankrupt position of signed `lots` moves at: its part of value less its part of the equity."""
    cdef State s
    cdef int64_t money
    memset(&s, 0, sizeof(State))
    money = portion(&s, value, part, lots) - portion(&s, share, part, lots)
    if s.overflow:
        raise OverflowError("the value of the part leaves 64 bits")
    return money


def valid_match(int64_t equity, int64_t maintenance, int64_t equity_after, int64_t maintenance_after) -> bool:
    """dYdX: whether a match leaves its counterparty in a valid state."""
    return bool(offset_allowed(equity, maintenance, equity_after, maintenance_after))


def percentiles(sizes, int levels) -> list:
    """Step of each place of a queue, first place first: 1 for the first of `levels` parts of the sum of sizes."""
    total, front, steps = sum(sizes), 0, []
    for size in sizes:
        front += size
        steps.append(light_step(front, total, levels))
    return steps
