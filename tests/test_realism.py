"""Measures of realism: each on processes whose answer is known."""

import numpy as np
import pytest
from perpsim.replay.realism import impact, memory, profiles, recovery, response, returns, tails
from perpsim.replay.realism.resample import blocks, interval
from perpsim.replay.realism.rows import BY_NAME, ROWS, Row, verdict


def draws(key=1):
    return np.random.Generator(np.random.Philox(key=key))


def inside(value, found):
    return found.low <= value <= found.high


def fractional_noise(n, hurst, key=1):
    """Fractional Gaussian noise by circulant embedding (Davies and Harte 1987)."""
    lags = np.arange(n + 1.0)
    covariance = (abs(lags + 1) ** (2 * hurst) - 2 * lags ** (2 * hurst) + abs(lags - 1) ** (2 * hurst)) / 2
    eigenvalues = np.fft.fft(np.concatenate([covariance, covariance[-2:0:-1]])).real
    noise = draws(key).standard_normal((2, len(eigenvalues)))
    spectrum = np.sqrt(np.maximum(eigenvalues, 0) / len(eigenvalues)) * (noise[0] + 1j * noise[1])
    return np.fft.fft(spectrum).real[:n]


def autoregression(n, coefficient, key=1):
    steps, values = draws(key).standard_normal(n), np.empty(n)
    values[0] = steps[0]
    for place in range(1, n):
        values[place] = coefficient * values[place - 1] + steps[place]
    return values


# Intervals


def test_blocks_keep_neighbours_together():
    drawn = blocks(1000, 20, draws())
    assert len(drawn) == 1000 and (np.diff(drawn) == 1).mean() > 0.9


def test_an_interval_of_a_mean_is_as_wide_as_it_should_be():
    found = interval(np.mean, draws().standard_normal(2000))
    assert inside(0, found) and (found.high - found.low) == pytest.approx(2 * 1.96 / 2000**0.5, rel=0.3)
    dependent = interval(np.mean, autoregression(2000, 0.6))
    assert dependent.high - dependent.low > 1.8 * 1.25 * (found.high - found.low)  # (1 + a) / (1 - a) of the variance


# Returns


def test_independent_returns_have_no_memory():
    values = draws().standard_normal(4000)
    assert inside(0, returns.autocorrelation(values, 1))
    assert inside(0, returns.autocorrelation(values, 10))
    assert inside(0, returns.clustering(values, range(1, 21)))
    assert inside(0, returns.kurtosis(values))


@pytest.mark.parametrize("coefficient", [-0.4, 0.6])
def test_an_autoregression_shows_its_coefficient(coefficient):
    values = autoregression(4000, coefficient)
    for lag in (1, 2):
        assert inside(coefficient**lag, returns.autocorrelation(values, lag))


def test_clustered_volatility_is_seen_in_sizes_only():
    generator = draws(3)
    values = generator.standard_normal(5000) * np.exp(autoregression(5000, 0.97, 4) / 4)
    assert returns.clustering(values, range(1, 21)).low > 0.05
    assert abs(returns.autocorrelation(values, 1).value) < 0.06


def test_kurtosis_of_known_distributions_and_its_fall():
    generator = draws(5)
    assert returns.kurtosis(generator.uniform(size=5000)).value == pytest.approx(-1.2, abs=0.05)
    laplace = generator.laplace(size=20_000)
    assert inside(3, returns.kurtosis(laplace))
    fall = returns.kurtosis_fall(np.exp(np.cumsum(laplace) * 1e-4), 1, 10)
    assert inside(2.7, fall) and fall.low > 0  # a sum of ten has a tenth
    normal = returns.kurtosis_fall(np.exp(np.cumsum(generator.standard_normal(20_000)) * 1e-4), 1, 10)
    assert inside(0, normal)


def test_volume_that_drives_volatility_is_seen():
    generator = draws(6)
    volume = generator.gamma(2, size=3000)
    assert returns.volume_volatility(generator.standard_normal(3000) * np.sqrt(volume), volume).low > 0.3
    assert inside(0, returns.volume_volatility(generator.standard_normal(3000), volume))


def test_prices_on_a_grid_are_the_last_before():
    times, prices = np.array([10, 20, 30]), np.array([1.0, 2.0, 4.0])
    assert np.array_equal(returns.on_grid(times, prices, np.array([5, 10, 29, 30, 99])), [np.nan, 1, 2, 4, 4], True)
    assert returns.log_returns(np.array([np.nan, 1.0, 2.0])) == pytest.approx([np.log(2)])


# Tails


@pytest.mark.parametrize("alpha", [2.0, 3.0])
def test_the_tail_index_of_a_power_law(alpha):
    pareto = (1 - draws(7).random(10_000)) ** (-1 / alpha)
    found = tails.tail_index(pareto * draws(8).choice([-1, 1], 10_000))
    assert inside(alpha, found) and found.n == 500


def test_the_tail_index_of_student_and_of_normal_values():
    """Hill's estimate of Student's t is biased upwards at a finite k; a normal tail looks much thinner."""
    student = tails.tail_index(draws(9).standard_t(3, 50_000))
    assert 2.6 < student.value < 3.2
    assert tails.tail_index(draws(9).standard_normal(50_000)).low > 4.5


# Memory


@pytest.mark.parametrize("hurst", [0.3, 0.5, 0.7])
def test_the_hurst_exponent_of_fractional_noise(hurst):
    found = memory.hurst(fractional_noise(8192, hurst))
    assert inside(hurst, found) and abs(found.value - hurst) < 0.06


def test_signs_with_long_memory_decay_by_their_exponent():
    """Signs of Gaussian noise with correlation r have 2 / pi * asin(r): the same exponent 2 - 2H."""
    signs = np.sign(fractional_noise(200_000, 0.8, 2)).astype(int)
    found = memory.decay(memory.sign_memory(signs))
    assert found == pytest.approx(0.4, abs=0.08)
    assert memory.sign_correlation(signs[:5000]).low > 0.2
    assert inside(0, memory.sign_correlation(draws().choice([-1, 1], 5000)))


# Distributions


def test_distances_of_shifted_samples():
    values = draws().standard_normal(20_000)
    assert profiles.wasserstein(values + 0.5, values) == pytest.approx(0.5)
    assert profiles.distance("w1", values[:5000] * 3, values[5000:10_000] * 3 + 3).value == pytest.approx(1, abs=0.1)
    same = profiles.distance("l1", values, values)
    assert same[:3] == (0, 0, 0)
    assert profiles.l1(np.zeros(100), np.ones(100)) == 1
    assert profiles.l1(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])) == 0.25


def test_a_conditional_distance_sees_what_the_unconditional_one_does_not():
    """The same values, but in one sample they follow the condition and in the other they do not."""
    generator = draws(2)
    given = generator.random(6000)
    values = given + generator.standard_normal(6000) / 10
    mixed = generator.permutation(values)
    assert profiles.distance("w1", mixed, values).value < 1e-9
    assert profiles.conditional("w1", mixed, given, values, given) > 0.5
    assert profiles.conditional_distance("w1", values, given, values, given).value == 0


def test_imbalance():
    assert np.array_equal(profiles.imbalance(np.array([3, 0, 0]), np.array([1, 2, 0])), [0.5, -1, np.nan], True)


# Responses, recovery


def test_events_of_the_book_are_told_apart():
    bid, bid_lots = np.array([10, 10, 10, 9, 9, 9]), np.array([5, 3, 4, 7, 7, 7])
    ask, ask_lots = np.array([12, 12, 12, 12, 12, 11]), np.array([5, 5, 5, 5, 2, 6])
    sold, bought = np.array([1, 0, 0, 0, 0], bool), np.array([0, 0, 0, 1, 0], bool)
    kind, sign, moving = response.events_of(bid, bid_lots, ask, ask_lots, bought, sold)
    names = [response.KINDS[each] for each in kind]
    assert names == ["market order", "limit order", "cancel", "market order", "limit order"]
    assert sign.tolist() == [-1, 1, -1, 1, -1]
    assert moving.tolist() == [False, False, True, False, True]
    mean, error, count = response.response((bid + ask) / 2, sign, moving, 1)
    assert (mean, error, count) == (0.5, 0, 2)


def test_recoveries_are_counted_from_hit_to_return():
    depth = np.full(1000, 100)
    depth[::2] = 110
    depth[500:504] = 1
    updates, seconds = recovery.recoveries(depth, np.arange(1000) * 250_000_000)
    assert updates.tolist() == [4] and seconds.tolist() == [1.0]


def test_the_mode_of_waiting_times():
    waits = draws().choice([0.0007, 0.02, 0.02, 0.02, 0.5], 5000)
    mode, share = recovery.mode_of_times(np.cumsum(np.rint(waits * 1e9)).astype(np.int64))
    assert 0.016 < mode < 0.026 and share == pytest.approx(0.6, abs=0.03)


# Impact


@pytest.mark.parametrize("delta", [0.5, 1.0])
def test_a_known_law_of_impact_is_found_again(delta):
    generator = draws(10)
    size = np.exp(generator.uniform(np.log(1e-5), np.log(1e-1), 400))
    final = 0.5 * size**delta * (1 + generator.standard_normal(400) / 2)
    law = impact.fit(size, final)
    assert inside(delta, law.delta) and inside(0.5, law.coefficient)
    assert law.delta.high - law.delta.low < 0.2
    if delta == 0.5:
        assert inside(1, impact.against_root(size, final))
    assert impact.difference(size, final, size, final)[:3] == (0, 0, 0)


def test_no_impact_has_no_law():
    size = np.exp(draws().uniform(-9, -3, 60))
    assert np.isnan(impact.fit(size, np.zeros(60)).delta.value)
    assert np.isnan(impact.fit(size[:5], size[:5]).delta.value)
    assert np.isnan(impact.fit(np.full(60, 1e-3), size).delta.value)  # all of one size


def test_the_share_of_impact_that_is_kept():
    peaks = np.exp(draws().standard_normal(200))
    paths = peaks[:, None] * np.array([0, 0.7, 1, 0.8, 0.66])
    assert impact.path(paths, 2) == pytest.approx([0, 0.7, 1, 0.8, 0.66])
    assert impact.kept(paths, 2)[:3] == pytest.approx((0.66, 0.66, 0.66))


# The register


def test_every_row_is_registered_once_and_bands_have_sources():
    assert len(BY_NAME) == len(ROWS)
    assert all(row.source for row in ROWS if row.band)
    assert all(row.formula for row in ROWS)


def test_verdicts():
    row = Row("x", "x", "x", (0.4, 0.7))
    assert verdict(row, 0.5, 0.45, 0.6) == "pass"
    assert verdict(row, 0.5, 0.3, 0.6) == verdict(row, 0.8, 0.6, 0.9) == "open"
    assert verdict(row, 0.9, 0.8, 1.0) == "fail"
    assert verdict(row, np.nan, np.nan, np.nan) == ""
