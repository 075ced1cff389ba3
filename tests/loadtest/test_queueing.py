from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.lab import queueing

HOLD = 0.02
FOUR_AT_THREE_QUARTERS = 4 * 0.75 / HOLD

rates = st.floats(0, 500)
times = st.floats(0.0001, 1)
servers = st.integers(1, 60)
shares = st.floats(0.01, 0.999)
quick = settings(deadline=None, max_examples=60)


@quick
@given(rates, times, servers)
def test_waiting_is_a_probability_and_another_server_makes_it_no_likelier(
    rate: float, service: float, count: int
) -> None:
    waiting = queueing.erlang_c(rate, service, count)
    assert 0 <= queueing.erlang_c(rate, service, count + 1) <= waiting <= 1


@quick
@given(st.floats(0.01, 0.99), times)
def test_one_server_waits_as_in_m_m_1(rho: float, service: float) -> None:
    served = 1 / service
    rate = rho * served
    assert queueing.erlang_c(rate, service, 1) == pytest.approx(rho)
    assert queueing.erlang_c_wait(rate, service, 1) == pytest.approx(rho / (served - rate))


@pytest.mark.parametrize(("load", "count"), [(2, 3), (8, 10), (0.5, 1), (14, 20)])
def test_the_recursion_is_the_textbook_sum(load: float, count: int) -> None:
    last = load**count / math.factorial(count) * count / (count - load)
    expected = last / (sum(load**k / math.factorial(k) for k in range(count)) + last)
    assert queueing.erlang_c(load, 1, count) == pytest.approx(expected)


def test_a_known_value() -> None:
    assert queueing.erlang_c(2, 1, 3) == pytest.approx(4 / 9)
    assert queueing.erlang_c_wait(2, 1, 3) == pytest.approx(4 / 9)


def test_thousands_of_servers_do_not_overflow() -> None:
    assert 0 < queueing.erlang_c(4900, 1, 5000) < 1


@quick
@given(rates, times, st.floats(0, 1), shares)
def test_the_fewest_servers_are_enough_and_one_less_is_not(
    rate: float, service: float, wait: float, share: float
) -> None:
    fewest = queueing.erlang_c_servers(rate, service, wait, share)
    assert queueing.erlang_c_quantile(rate, service, fewest, share) <= wait
    if fewest > 1:
        assert queueing.erlang_c_quantile(rate, service, fewest - 1, share) > wait


@pytest.mark.parametrize("rate", [200, 250])
def test_an_overloaded_system_has_no_bound(rate: float) -> None:
    assert queueing.erlang_c(rate, HOLD, 4) == 1
    assert queueing.erlang_c_wait(rate, HOLD, 4) == math.inf
    assert queueing.erlang_c_quantile(rate, HOLD, 4, 0.5) == math.inf
    assert queueing.simulate(rate, [HOLD], 4, 0.5) == (math.inf, math.inf)


def test_fixed_holds_wait_half_as_long() -> None:
    wait = queueing.erlang_c_wait(FOUR_AT_THREE_QUARTERS, HOLD, 4)
    assert queueing.allen_cunneen(wait, 1, 1) == wait
    assert queueing.allen_cunneen(wait, 1, 0) == wait / 2
    assert queueing.allen_cunneen(math.inf, 0, 0) == math.inf


def exponential_holds() -> list[float]:
    return list(-HOLD * np.log1p(-(np.arange(20_000) + 0.5) / 20_000))


def test_simulated_exponential_holds_wait_as_erlang_c_says() -> None:
    waits = queueing.simulated_waits(FOUR_AT_THREE_QUARTERS, exponential_holds(), 4, 1, 300_000)
    mean = queueing.erlang_c_wait(FOUR_AT_THREE_QUARTERS, HOLD, 4)
    p95 = queueing.erlang_c_quantile(FOUR_AT_THREE_QUARTERS, HOLD, 4, 0.95)
    assert waits.mean() == pytest.approx(mean, rel=0.05)
    assert np.quantile(waits, 0.95) == pytest.approx(p95, rel=0.05)


def test_simulated_fixed_holds_wait_about_half_as_long() -> None:
    waits = queueing.simulated_waits(FOUR_AT_THREE_QUARTERS, [HOLD], 4, 1, 300_000)
    half = queueing.erlang_c_wait(FOUR_AT_THREE_QUARTERS, HOLD, 4) / 2
    assert waits.mean() == pytest.approx(half, rel=0.1)


def test_a_simulation_repeats_with_its_seed_only() -> None:
    first, again, other = (
        queueing.simulate(FOUR_AT_THREE_QUARTERS, [0.01, 0.03], 4, 0.95, seed) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert 0 < first.mean < first.quantile


def test_given_arrivals_are_served_in_turn_by_whoever_is_free_first() -> None:
    waits = queueing.served_in_turn([0, 1, 2, 3, 20], [10, 3, 1, 1, 1], 2)
    assert list(waits) == [0, 0, 2, 2, 0]


@quick
@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=40), servers)
def test_another_server_lets_nobody_wait_longer(
    customers: list[tuple[float, float]], count: int
) -> None:
    arrivals = sorted(due for due, _ in customers)
    holds = [hold for _, hold in customers]
    waits = queueing.served_in_turn(arrivals, holds, count)
    more = queueing.served_in_turn(arrivals, holds, count + 1)
    assert (more <= waits + 1e-9).all()


@pytest.mark.parametrize("arguments", [(-1, 1, 1), (1, -1, 1), (1, 1, 0), (math.nan, 1, 1)])
def test_what_makes_no_sense_is_told(arguments: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="expected a rate and a service time from 0 on"):
        queueing.erlang_c(*arguments)


@pytest.mark.parametrize("share", [-0.1, 1.0, 95.0, math.nan])
def test_a_share_is_below_one(share: float) -> None:
    with pytest.raises(ValueError, match="expected a share from 0 to below 1"):
        queueing.erlang_c_quantile(1, 1, 2, share)


@pytest.mark.parametrize("wait", [-1.0, math.nan])
def test_a_wait_is_not_below_zero(wait: float) -> None:
    with pytest.raises(ValueError, match="expected a wait from 0 on"):
        queueing.erlang_c_servers(1, 1, wait, 0.95)


def test_too_few_servers_are_told() -> None:
    with pytest.raises(ValueError, match=r"5 are too few for 0\.95 of all to wait at most 0\.1 s"):
        queueing.erlang_c_servers(10, 1, 0.1, 0.95, most=5)


def test_a_simulation_tells_what_it_lacks() -> None:
    with pytest.raises(ValueError, match="a hold and a customer at least"):
        queueing.simulate(10, [], 4, 0.95)
    with pytest.raises(ValueError, match="a hold for each arrival, got 2 and 1"):
        queueing.served_in_turn([0, 1], [1], 1)
    with pytest.raises(ValueError, match="arrivals in order"):
        queueing.served_in_turn([1, 0], [1, 1], 1)
    with pytest.raises(ValueError, match="figures from 0 on"):
        queueing.allen_cunneen(1, -1, 0)
