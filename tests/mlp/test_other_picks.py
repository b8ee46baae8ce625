"""Re-training may begin from picks by least squares, with weights solved for."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor, greedy_forward_selection
from sklearn_gfs.mlp import _other_trials
from sklearn_gfs.mlp._searches import SearchByGradient
from sklearn_gfs.mlp._trial import Trials
from sklearn_gfs.network import Watch, _step_cost
from sklearn_gfs.selection import pick_by_squares


def board(n_samples, n_classes=2, seed=0):
    """Squares of a board, as many kinds as classes."""
    X = np.random.default_rng(seed).random((n_samples, 2)) * 4
    row, column = X.astype(int).T
    return X, (row + column) % 2 if n_classes == 2 else 2 * (row % 2) + column % 2


@pytest.fixture(scope="module")
def fitted():
    return GreedyPrunedMLPClassifier(random_state=0).fit(*board(600))


def test_a_board_of_two_colours_is_learnt(fitted):
    assert fitted.score(*board(2000, seed=1)) > 0.9


def test_what_is_told_of_the_picks_is_that_of_these(fitted):
    assert fitted.ridge_ > 0
    assert fitted.n_units_ == len(set(fitted.selection_path_)) == len(fitted.selection_path_) == 50
    assert set(np.flatnonzero(fitted.selection_counts_)) == set(fitted.selection_path_)
    assert fitted.selection_losses_[-1] < fitted.selection_losses_[0]
    assert np.isfinite(fitted.duality_gaps_).all()
    assert (fitted.duality_gaps_ >= 0).all()


@pytest.mark.parametrize("parameters", [{"n_retrain": 400}, {"retrain_solver": "lm"}, {"loss": "squared_error"}])
def test_who_asks_for_something_gets_the_mean_of_the_picks(parameters):
    model = GreedyPrunedMLPClassifier(random_state=0, **parameters).fit(*board(300))
    assert model.ridge_ is None
    assert model.selection_counts_.sum() == 50


def test_rare_words_keep_the_mean_of_the_picks(monkeypatch):
    monkeypatch.setattr(SearchByGradient, "by_squares", None)  # would be called otherwise
    rng = np.random.default_rng(0)
    X = sparse.random(120, 400, 0.03, format="csr", random_state=0)
    assert GreedyPrunedMLPClassifier(random_state=0).fit(X, rng.integers(0, 2, 120)).ridge_ is None


def test_classes_that_are_learnt_well_keep_the_mean_of_the_picks():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    assert GreedyPrunedMLPClassifier(random_state=0).fit(X, X[:, 0] > 0).ridge_ is None


def parity(n_samples, rng):
    """Classes by the sign of a product of three features, among eight."""
    X = rng.normal(size=(n_samples, 8))
    return X, X[:, :3].prod(axis=1) > 0


def test_other_picks_are_trained_where_classes_were_hardly_learnt():
    X, y = parity(1300, np.random.default_rng(1))
    model = GreedyPrunedMLPClassifier(random_state=1).fit(X[:300], y[:300])
    assert model.ridge_ > 0
    assert model.score(X[300:], y[300:]) > 0.7


@pytest.mark.parametrize("signal", [0.0, 2.0])
def test_other_picks_of_numbers_need_not_be_ahead_if_almost_nothing_was_learnt(monkeypatch, signal):
    asked, tried = [], []
    monkeypatch.setattr(_other_trials, "_gets_below", lambda *some: bool(asked.append(some)))
    monkeypatch.setattr(_other_trials, "_if_better", lambda trials, trial, *some: tried.append(some) or trial)
    X, noise = np.random.default_rng(0).normal(size=(2, 200, 1))
    GreedyPrunedMLPRegressor(random_state=0).fit(X, signal * X[:, 0] + noise[:, 0])
    assert len(tried) == (signal == 0.0)
    assert not (asked and tried)


@pytest.mark.parametrize("validated", [False, True])
def test_several_classes_and_validation_data(monkeypatch, validated):
    monkeypatch.setattr(_step_cost, "_MOST_TRIED_OF_MANY", 0.0)  # steps learn this board from the first picks
    X, y = board(300, 4)
    X_val, y_val = board(200, 4, seed=2)
    data = {"X_val": X_val, "y_val": y_val} if validated else {}
    model = GreedyPrunedMLPClassifier(random_state=0).fit(X, y, **data)
    assert model.ridge_ > 0
    assert model.n_units_ == len(set(model.selection_path_))
    X_test, y_test = board(1000, 4, seed=1)
    shares = model.predict_proba(X_test)
    assert -np.mean(np.log(shares[np.arange(1000), y_test])) < 0.2


def test_one_run_gives_the_subnetwork_of_a_fit_of_its_own(fitted):
    model = GreedyPrunedMLPClassifier(random_state=0)
    points = list(model.fit_path(*board(600), n_pretrain=[fitted.n_pretrain_], k=[50]))
    for one, other in zip(points[-1].estimator.coefs_, fitted.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)
    assert points[-1].estimator.ridge_ == fitted.ridge_


@pytest.mark.parametrize("weighted", [False, True])
def test_picks_by_squares_are_those_of_the_corrective_selection(weighted):
    rng = np.random.default_rng(0)
    hidden, targets = np.tanh(rng.normal(size=(200, 30))), rng.integers(0, 2, (200, 2)).astype(float)
    weight = rng.integers(1, 4, 200).astype(float) if weighted else None
    path = pick_by_squares(hidden, targets, weight, 8)
    expected = greedy_forward_selection(
        hidden, targets, 8, output_weights=np.ones((30, 2)), corrective=True, ridge=1e-4, sample_weight=weight
    )
    np.testing.assert_array_equal(path.picks, expected.picks)
    share = np.full(200, 1 / 200) if weight is None else weight / weight.sum()
    penalty = 1e-4 * (share @ (hidden - share @ hidden) ** 2).mean()
    penalised = expected.losses[-1] + 0.5 * penalty * np.sum(expected.weights**2)
    np.testing.assert_allclose(path.losses[-1], penalised, rtol=1e-8)
    every = greedy_forward_selection(
        hidden, targets, 30, output_weights=np.ones((30, 2)), corrective=True, ridge=1e-4, sample_weight=weight
    )
    least = every.losses[-1] + 0.5 * penalty * np.sum(every.weights**2)
    assert (path.losses - path.gaps <= least + 1e-9).all()


@pytest.mark.parametrize("where", ["by_squares", "solver"])
def test_an_interrupt_of_the_search_for_other_picks_keeps_the_trial(where, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(SearchByGradient, where, interrupted)
    model = GreedyPrunedMLPClassifier(random_state=0)
    with pytest.raises(KeyboardInterrupt, match="re-training"):
        model.fit(*board(600))
    assert model.ridge_ is None
    assert model.score(*board(2000, seed=1)) > 0.6


def test_no_other_picks_are_solved_for_once_time_is_over(monkeypatch):
    n_solved, by_squares = [], SearchByGradient.by_squares

    def slow(selection, *args):
        path = by_squares(selection, *args)
        monkeypatch.setattr(Watch, "stops", True)
        return path

    monkeypatch.setattr(SearchByGradient, "by_squares", slow)
    monkeypatch.setattr(SearchByGradient, "solver", lambda *args: n_solved.append(args))
    model = GreedyPrunedMLPClassifier(random_state=0).fit(*board(600))
    assert model.ridge_ is None
    assert not n_solved


def test_a_callback_that_ends_a_later_trial_ends_the_phase():
    asked = []

    class Ends:
        """Asks to stop re-training from its hundredth group of iterations on."""

        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context, **kwargs): ...

        def on_fit_task_end(self, estimator, context, **kwargs):
            if context.task_name == "trial re-training iterations":
                asked.append(context)
            return len(asked) >= 100

    model = GreedyPrunedMLPClassifier(random_state=0)
    if not hasattr(model, "set_callbacks"):
        pytest.skip("this scikit-learn has no callbacks")
    model.set_callbacks(Ends()).fit(*board(600))
    assert len(asked) == 100
    assert model.ridge_ is None


def sines(n_samples, seed):
    """A sum of two sines among useless features: the mean of the picks may show one of the two only."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n_samples, 5))
    y = np.sin(6 * X[:, 0]) + np.sin(8 * X[:, 1])
    return X, y + 0.1 * y.std() * rng.normal(size=n_samples)


def test_numbers_that_steps_do_not_find_get_other_picks(monkeypatch):
    (X, y), (X_test, y_test) = sines(1000, 3), sines(1000, 50)
    found = GreedyPrunedMLPRegressor(random_state=0).fit(X, y)
    assert found.ridge_ > 0
    assert len(set(found.selection_path_)) == 50
    assert found.score(X_test, y_test) > 0.95
    assert found.predict(X_test, return_std=True)[1].shape == (1000,)
    monkeypatch.setattr(SearchByGradient, "by_squares", lambda *_: None)
    missed = GreedyPrunedMLPRegressor(random_state=0).fit(X, y)
    assert missed.ridge_ is None
    assert missed.score(X_test, y_test) < 0.8


def test_numbers_are_trained_from_other_picks_only_where_these_get_ahead(monkeypatch):
    n_steps, attempt = [], Trials.attempt

    def counted(self, pruned, phase, how, **more):
        n_steps.append(how.schedule.n_iterations)
        return attempt(self, pruned, phase, how, **more)

    monkeypatch.setattr(Trials, "attempt", counted)
    rng = np.random.default_rng(7)
    X = rng.normal(size=(200, 4))
    model = GreedyPrunedMLPRegressor(random_state=0).fit(
        X, np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2] + rng.normal(size=200)
    )
    assert n_steps[-1] == _other_trials._STEPS
    assert model.ridge_ is None
