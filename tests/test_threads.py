"""Threads: as many as pay, and as before once an operation is over."""

import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_gfs import GreedyPrunedMLPRegressor, _threads, greedy_forward_selection
from sklearn_gfs._threads import n_blas_threads, n_torch_threads, one_thread, threads_for


def in_use():
    """Return the threads of every BLAS and those of torch, as they are here and now."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"], torch.get_num_threads()


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with threadpool_limits(2, user_api="blas"):
        yield
    torch.set_num_threads(before)


def test_there_is_one_thread_inside_and_as_many_as_before_afterwards():
    outside = in_use()
    assert (max(outside[0]), outside[1]) == (2, 2)
    with one_thread():
        assert set(in_use()[0]) == {1}
        assert in_use()[1] == 1
        assert (n_blas_threads(), n_torch_threads()) == (2, 2)  # as many as may be used
        with one_thread():
            assert in_use()[1] == 1
        assert in_use()[1] == 1
    assert in_use() == outside


def test_threads_come_back_after_an_error():
    outside = in_use()
    with pytest.raises(ValueError, match="inside"), one_thread():
        raise ValueError("inside")
    assert in_use() == outside


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_threads_come_back_in_whatever_order_threads_of_python_leave(first_leaves_first):
    outside, seen = in_use(), {}
    first_in, second_in, go = threading.Event(), threading.Event(), threading.Event()

    def second():
        first_in.wait()
        with one_thread():
            second_in.set()
            if first_leaves_first:
                go.wait()
            seen["inside"] = in_use()[1]
        seen["after"] = in_use()[1]

    other = threading.Thread(target=second)
    other.start()
    with one_thread():
        first_in.set()
        second_in.wait()
        if not first_leaves_first:
            other.join()
        assert set(in_use()[0]) == {1}
        assert in_use()[1] == 1
    if first_leaves_first:
        assert set(in_use()[0]) == {1}  # one is still inside
    go.set()
    other.join()
    assert seen == {"inside": 1, "after": 2}
    assert in_use() == outside
    with one_thread():
        assert set(in_use()[0]) == {1}
    assert in_use() == outside


def test_a_thread_of_python_that_never_set_a_number_limits_too_and_takes_nothing_from_others():
    seen, outside = {}, in_use()  # the fixture has set the number, in the main thread
    inside, go = threading.Event(), threading.Event()

    def other():
        with one_thread():
            seen["inside"] = set(in_use()[0])
        inside.set()
        go.wait()  # a thread that is over has nothing to say in any case

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait()
    assert seen["inside"] == {1}
    assert in_use() == outside
    with threadpool_limits(1, user_api="blas"):
        assert set(in_use()[0]) == {1}
    assert in_use() == outside
    go.set()
    thread.join()


@pytest.mark.parametrize(("n_operations", "n_threads"), [(10, 2), (1e7, 1), (1e10, 2)])
def test_only_much_work_gets_more_threads(n_operations, n_threads):
    with threads_for(n_operations):
        assert max(in_use()[0]) == n_threads


def test_a_fit_and_a_selection_leave_the_threads_as_they_were():
    outside = in_use()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    model = GreedyPrunedMLPRegressor(5, 3, n_hidden=300, n_retrain=5, random_state=0).fit(X, X[:, 0])
    model.predict(X)
    assert in_use() == outside
    greedy_forward_selection(rng.normal(size=(300, 50)), X[:, 0], 5)
    assert in_use() == outside
    with pytest.raises(ValueError, match="learning_rate_init"):
        model.set_params(learning_rate_init=1e30).fit(X, X[:, 0])
    assert in_use() == outside
    points = model.set_params(learning_rate_init=None).fit_path(X, X[:, 0], n_pretrain=[2, 4])
    next(points)
    assert in_use() == outside  # between two points, too


def test_torch_is_not_loaded_for_a_limit(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    assert n_torch_threads() == 1
    with one_thread():
        assert "torch" not in sys.modules


def test_without_threads_of_linear_algebra_there_is_one(monkeypatch):
    monkeypatch.setattr(_threads, "_controller", lambda: SimpleNamespace(lib_controllers=[]))
    assert n_blas_threads() == 1
    with one_thread():
        assert n_blas_threads() == 1
