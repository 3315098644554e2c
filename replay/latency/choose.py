"""From a scenario's keys to latency models, and to the venue's sequencer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from perpsim.exchange.units import decimal_text, exact
from perpsim.replay.place import Place
from perpsim.replay.scenario import (
    Bot,
    ConstantLatency,
    Distribution,
    Load,
    LoadLatency,
    Number,
    SampledLatency,
    ScenarioFile,
    TapeLatency,
)  # fmt: skip

from . import draws
from .constant import Constant
from .draws import SERVICE, TAKEN, Draws, Table
from .protocol import Latency
from .recorded import Batch, Recorded
from .sampled import Sampled, Spikes
from .sequencer import Rules, Sequencer
from .tape import Offset, Taped, smallest_delay

NS = 10**9
SMALLEST_NS = 1_000_000  # with offset = "auto", unless the scenario says another


class Market(NamedTuple):
    """What a latency model may have to know of a market."""

    symbol: str
    chunks: Callable[[], Iterable[Batch]]


@dataclass(frozen=True)
class Choice:
    """A bot's latency model, to be made for a run."""

    name: str
    make: Callable[[int, int, Recorded], Latency]  # (seed, account, recorded) -> model
    clocks: bool = False  # it reads the recording's clocks
    queued: bool = False  # its requests stand in the venue's queue
    facts: dict[str, Any] = field(default_factory=dict)  # what was found out, for the summary


def choose(file: ScenarioFile, key: str, bot: Bot, markets: Sequence[Market]) -> Choice:
    """The model of a strategy. Raises InputError for one that cannot be."""
    place = Place(file, key)
    if bot.latency is None:
        feed = place.under("feed_latency").ns(bot.feed_latency)
        entry = place.under("order_latency").ns(bot.order_latency)
        model = Constant(feed, entry, feed)
        return Choice("constant", lambda seed, account, recorded: model)
    if bot.feed_latency or bot.order_latency:
        raise place.under("latency").wrong("feed_latency and order_latency say it too; keep one of both ways")
    return _model(place.under("latency"), bot.latency, markets)


def _model(place: Place, given: Any, markets: Sequence[Market]) -> Choice:
    match given:
        case ConstantLatency():
            feed, entry = place.under("feed").ns(given.feed), place.under("entry").ns(given.entry)
            response = feed if given.response is None else place.under("response").ns(given.response)
            model = Constant(feed, entry, response)
            return Choice("constant", lambda seed, account, recorded: model)
        case TapeLatency():
            return _taped(place, given, markets)
        case SampledLatency():
            return _sampled(place, given)
        case LoadLatency():
            if place.file.scenario.load is None:
                raise place.wrong("the queue is the venue's; describe it in a table [load]")
            network = _model(place.under("network"), given.network, markets)
            facts = {"network": network.name, **network.facts}
            return Choice("load", network.make, network.clocks, queued=True, facts=facts)
    raise TypeError(given)


# From the recording


def _taped(place: Place, given: TapeLatency, markets: Sequence[Market]) -> Choice:
    entry, response = (
        place.under(name).positive(getattr(given, name)) for name in ("entry_multiple", "response_multiple")
    )
    offsets = [_offset(place, given, market) for market in markets]
    facts = {
        market.symbol: {"offset": _seconds(each.offset_ns), "smallest": _seconds(each.smallest_ns)}
        for market, each in zip(markets, offsets, strict=True)
    }

    def make(seed: int, account: int, recorded: Recorded) -> Latency:
        return Taped(recorded, offsets, entry, response)

    return Choice("tape", make, clocks=True, facts={"clocks": facts})


def _offset(place: Place, given: TapeLatency, market: Market) -> Offset:
    """What the recorder's clock is put forward by, so that nothing arrives before it was sent."""
    found = smallest_delay(market.chunks())
    if found is None or found == (0, 0):
        raise place.wrong(f"the recording of {market.symbol} has one clock only; choose another model")
    smallest_ns = found[0]
    if given.offset == "auto":
        wanted = place.under("smallest").ns(given.smallest)
        return Offset(wanted - smallest_ns, wanted)
    offset_ns = place.under("offset").ns(given.offset, negative=True)
    if smallest_ns + offset_ns < 0:
        behind = f"by its clocks a message of {market.symbol} arrives {_seconds(-smallest_ns - offset_ns)} s before it"
        advice = f'say offset = "{_seconds(-smallest_ns)}" or more, or offset = "auto"'
        raise place.under("offset").wrong(f"{behind} was sent: the recorder's clock was behind; {advice}")
    return Offset(offset_ns, smallest_ns + offset_ns)


def _seconds(value_ns: int) -> str:
    return decimal_text(Fraction(value_ns, NS))


# Drawn


def _sampled(place: Place, given: SampledLatency) -> Choice:
    named = {"feed": given.feed, "entry": given.entry, "response": given.response}
    if given.response is None:
        named["response"] = given.feed
    tables = tuple(_table(place.under(name), value) for name, value in named.items())
    spikes = None
    if given.spikes:
        where = place.under("spikes")
        spikes = Spikes(*(where.under(name).ns(getattr(given.spikes, name)) for name in ("every", "length", "extra")))
        if not 0 < spikes.length_ns <= spikes.every_ns:
            raise where.under("length").wrong("must be above 0 and at most `every`")

    def make(seed: int, account: int, recorded: Recorded) -> Latency:
        return Sampled(tables, spikes, seed, account)

    return Choice("sampled", make)


def _table(place: Place, given: Number | Distribution) -> Table:
    if not isinstance(given, Distribution):
        return draws.constant(place.ns(given))
    ways = [name for name in ("quantiles", "median") if getattr(given, name) is not None]
    if len(ways) != 1:
        raise place.wrong("say either quantiles, or median with sigma or p99")
    if ways == ["quantiles"]:
        return _from_quantiles(place.under("quantiles"), given)
    median_ns = place.under("median").ns(given.median)
    if median_ns == 0 or (given.sigma is None) == (given.p99 is None):
        raise place.wrong("a lognormal has a median above 0, and either sigma or p99")
    if given.p99 is not None:
        high_ns = place.under("p99").ns(given.p99)
        if high_ns <= median_ns:
            raise place.under("p99").wrong("must be above the median")
        return draws.lognormal(median_ns, draws.sigma_of(median_ns, high_ns, Fraction(99, 100)))
    sigma = place.under("sigma").positive(given.sigma, most=5)
    return draws.lognormal(median_ns, Decimal(sigma.numerator) / Decimal(sigma.denominator))


def _from_quantiles(place: Place, given: Distribution) -> Table:
    if given.sigma is not None or given.p99 is not None:
        raise place.wrong("go without sigma and p99")
    try:
        points = [(exact(share, "the probability"), place.ns(seconds)) for share, seconds in given.quantiles]
        return draws.from_quantiles(points)
    except ValueError as error:
        raise place.wrong(str(error)) from error


# The venue's queue


def load_rules(file: ScenarioFile) -> Rules | None:
    """The scenario's [load]; None where there is none."""
    given: Load | None = file.scenario.load
    if given is None:
        return None
    place = Place(file, "load")
    return Rules(
        service=_table(place.under("service"), given.service),
        depth=given.depth,
        recorded=given.recorded,
        taken=int(given.taken * draws.ONE) if given.beyond == "unknown" else None,
        cancels="cancel" in given.exempt,
        closes="close" in given.exempt,
        conflate_ns=place.under("conflate").ns(given.conflate),
    )


def new_sequencer(rules: Rules, seed: int, recorded: Recorded) -> Sequencer:
    """The queue of a run."""
    return Sequencer(rules, recorded.requests, Draws(seed, SERVICE, 0), Draws(seed, TAKEN, 0))
