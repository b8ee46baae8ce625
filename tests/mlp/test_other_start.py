"""Second-order steps that learn little: gradient updates make another start, and held-out samples judge it."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp import _other_trials
from sklearn_gfs.mlp._searches import SearchByGradient
from sklearn_gfs.mlp._trial import Trials
from sklearn_gfs.network import LateLevenbergMarquardt, LevenbergMarquardt


def products(n_samples, seed, n_features=10):
    """A product of two of ten features, which a linear model knows nothing of."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features))
    return X, X[:, 0] * X[:, 1] + 0.3 * rng.normal(size=n_samples)


def kind_of(how):
    """Say what a trial is made of, from the choice that it was given."""
    return {None: "updates", LateLevenbergMarquardt: "late", LevenbergMarquardt: "steps"}[how.steps]


@pytest.fixture
def tries(monkeypatch):
    """Record what each trial is made of, and its result."""
    made, attempt = [], Trials.attempt

    def record(self, pruned, phase, how, **more):
        made.append((kind_of(how), attempt(self, pruned, phase, how, **more)))
        return made[-1][1]

    monkeypatch.setattr(Trials, "attempt", record)
    monkeypatch.setattr(SearchByGradient, "by_squares", lambda *_: None)  # no other picks, which have their own tests
    return made


def kinds_of(tries):
    return [kind for kind, _ in tries]


@pytest.mark.parametrize("seed", [0, 1])
def test_what_only_few_samples_show_is_learnt_after_all(tries, seed):
    (X, y), (X_test, y_test) = products(150, seed), products(1000, seed + 10)
    model = GreedyPrunedMLPRegressor(random_state=0).fit(X, y)
    assert kinds_of(tries) == ["steps", "late"]
    assert model.score(X_test, y_test) > 0.8
    assert min(model.validation_loss_curve_) == tries[1][1].least
    assert model.predict(X_test, return_std=True)[1].shape == (1000,)
    tries.clear()
    asked = GreedyPrunedMLPRegressor(random_state=0, retrain_solver="lm").fit(X, y)
    assert kinds_of(tries) == ["steps"]  # who asks for a solver gets that
    assert asked.score(X_test, y_test) < model.score(X_test, y_test) - 0.2


def test_classes_get_another_start_as_well(tries, monkeypatch):
    monkeypatch.setattr(_other_trials, "_ENOUGH_OF_FEW", 0.0)
    monkeypatch.setattr(_other_trials, "_BETTER", 0.0)  # other starts are tried, and not believed
    X, y = products(150, 0)
    model = GreedyPrunedMLPClassifier(random_state=0).fit(X, y > 0)
    assert kinds_of(tries) == ["steps", "updates"]
    assert min(model.validation_loss_curve_) == tries[0][1].least  # it goes on from the first


@pytest.mark.parametrize(("few", "kinds"), [(1000, ["steps", "late", "updates"]), (100, ["steps"])])
def test_with_many_samples_only_what_learnt_nothing_gets_another_start(tries, monkeypatch, few, kinds):
    monkeypatch.setattr(_other_trials, "_FEW", few)
    monkeypatch.setattr(_other_trials, "_BETTER", 0.0)
    X, y = products(150, 0)
    GreedyPrunedMLPRegressor(random_state=0).fit(X, y + X[:, 3])  # a line leaves about half
    assert kinds_of(tries) == kinds


def test_noise_is_not_learnt_by_another_start(tries):
    X, _ = products(200, 0)
    y = np.random.default_rng(5).normal(size=200)
    model = GreedyPrunedMLPRegressor(random_state=0).fit(X, y)
    assert kinds_of(tries) == ["steps", "late", "updates"]
    assert np.abs(model.predict(X)).max() < 1


def test_a_start_that_steps_make_no_better_is_kept(monkeypatch):
    attempt, kinds, kept = Trials.attempt, [], []

    def fail_but_for_updates(self, pruned, phase, how, **more):
        trial = attempt(self, pruned, phase, how, **more)
        kinds.append(kind_of(how))
        kept.extend([trial] * (kinds[-1] == "updates"))
        return trial._replace(losses=[]) if kinds[-1] != "updates" else trial

    monkeypatch.setattr(Trials, "attempt", fail_but_for_updates)
    (X, y), (X_test, y_test) = products(150, 0), products(1000, 10)
    model = GreedyPrunedMLPRegressor(random_state=0).fit(X, y)
    assert kinds == ["steps", "late", "updates", "steps"]
    assert model.n_retrain_ == len(kept[0].losses) > 100
    assert model.score(X_test, y_test) > 0.2
    assert model.predict(X_test, return_std=True)[1].shape == (1000,)


@pytest.mark.parametrize("seed", range(3))
def test_squares_among_features_that_tell_nothing_are_learnt(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((1200, 12))
    y = (X[:, :4] ** 2).sum(axis=1) + 0.5 * rng.standard_normal(1200)
    assert GreedyPrunedMLPRegressor(random_state=seed).fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.85


def test_many_features_that_tell_a_little_each_are_learnt_by_updates(tries):
    losses = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        y = rng.permutation(np.arange(1200) % 4)
        X = 0.3 * rng.standard_normal((4, 100))[y] + rng.standard_normal((1200, 100))
        tries.clear()
        model = GreedyPrunedMLPClassifier(random_state=seed).fit(X[:200], y[:200])
        assert "updates" in kinds_of(tries)
        losses.append(log_loss(y[200:], model.predict_proba(X[200:])))
    assert np.mean(losses) < 0.4


@pytest.mark.parametrize("asked_to_stop", ["first", "second"])
def test_a_callback_that_ends_the_trial_ends_the_search_for_a_start(tries, asked_to_stop):
    class Stop:
        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            n_trials = 1 if asked_to_stop == "first" else 2
            return context.task_name == "trial re-training iterations" and len(tries) == n_trials - 1

        def teardown(self, estimator, context):
            pass

    X, y = products(150, 0)
    model = GreedyPrunedMLPRegressor(random_state=0).set_callbacks(Stop()).fit(X, y)
    assert len(tries) == (1 if asked_to_stop == "first" else 2)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize(("seed", "n_categories"), [(0, 100), (2, 100), (4, 100)])
def test_steps_that_make_nothing_better_get_another_start(tries, seed, n_categories):
    """With many rare indicators the first steps fit a few samples each, and held-out samples refuse all of them."""
    rng = np.random.default_rng(seed)
    size = rng.gamma(1, size=(600, 1))
    X = np.hstack([size * rng.gamma(5, size=(600, 5)), rng.uniform(size=(600, n_categories)) < 0.03])
    y = X[:, :5].mean(axis=1) + 0.05 * rng.normal(size=600)
    model = GreedyPrunedMLPRegressor(random_state=0).fit(X[:220], y[:220])
    assert kinds_of(tries)[:2] == ["steps", "late"]
    assert not tries[0][1].losses
    assert model.score(X[220:], y[220:]) > 0.98
