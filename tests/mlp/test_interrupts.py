"""Ctrl-C: it ends what is running, leaves a usable model where there can be one, and goes on to the caller."""

import signal
import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_gfs import (
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    PretrainThresholdSearch,
    pretrain_threshold_curve,
)
from sklearn_gfs.mlp._prepared import Prepared
from sklearn_gfs.mlp._pruning import NeuronSelection
from sklearn_gfs.mlp._trainer import Trainer
from sklearn_gfs.network import _step_cost
from sklearn_gfs.network._second_order_training import SecondOrderTraining
from sklearn_gfs.network._training import Training

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}
SAYS_SO = "interrupted: .* iterations of pre-training .* of re-training were made. The estimator is fitted"


@pytest.fixture(autouse=True)
def _hears_interrupts():
    """Let SIGINT raise KeyboardInterrupt, whatever the process that started the tests has made of it."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def problem(n_samples=60):
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % 3
    return 3 * np.eye(3, 4)[y] + rng.normal(size=(n_samples, 4)), y


def interrupt(monkeypatch, owner, name, *calls):
    """Send this process SIGINT at the start of these calls of the method; return a list that grows by each call."""
    method, made = getattr(owner, name), []

    def interrupting(*arguments):
        made.append(1)
        if len(made) in calls:
            signal.raise_signal(signal.SIGINT)
        return method(*arguments)

    monkeypatch.setattr(owner, name, interrupting)
    return made


# One estimator.


@pytest.mark.parametrize(("call", "n_pretrain"), [(1, 0), (7, 6), (20, 19), (21, 20), (20 + 2 + 1, 20)])
def test_an_interrupt_leaves_a_usable_model_and_interrupts(monkeypatch, call, n_pretrain):
    X, _ = problem()
    model = GreedyPrunedMLPRegressor(**SMALL)
    complete = clone(model).fit(X, X[:, 0])
    made = interrupt(monkeypatch, Training, "_update", call)
    with pytest.raises(KeyboardInterrupt, match=SAYS_SO) as heard:
        model.fit(X, X[:, 0])
    assert f"{model.n_pretrain_} iterations of pre-training and {model.n_retrain_} of re-training" in str(heard.value)
    assert len(made) == call  # no update was made after it
    assert model.n_pretrain_ == n_pretrain
    # Updates of re-training are made 20 or more in a call. The last interrupt is one of the final re-training, and the
    # trial's network is kept in its place.
    assert model.n_retrain_ == (complete.n_retrain_ if call > 22 else 0)
    assert model.n_units_ == len(set(model.selection_path_))
    assert np.isfinite(model.predict(X)).all()


def test_an_interrupt_of_the_trial_leaves_what_it_has_retrained(monkeypatch):
    X, _ = problem(200)
    y = np.sin(X[:, 0])
    model = GreedyPrunedMLPRegressor(**SMALL | {"n_retrain": 100})
    complete = clone(model).fit(X, y)
    interrupt(monkeypatch, Training, "_update", 1 + 4)  # of 20 iterations each
    with pytest.raises(KeyboardInterrupt, match=SAYS_SO):
        model.fit(X, y)
    assert model.validation_loss_curve_[:4] == complete.validation_loss_curve_[:4]
    assert model.n_retrain_ == len(model.retrain_loss_curve_) == 60
    assert model.n_units_ == len(set(model.selection_path_))
    untrained = clone(model).set_params(n_retrain=0).fit(X, y)
    assert model.score(X, y) > untrained.score(X, y)


def test_an_interrupt_of_retraining_without_a_trial_leaves_what_it_has_retrained(monkeypatch):
    X, _ = problem(200)
    model = GreedyPrunedMLPRegressor(**SMALL, early_stopping=False)
    interrupt(monkeypatch, Training, "_update", 1 + 2)  # of 20 iterations each
    with pytest.raises(KeyboardInterrupt, match="20 iterations of pre-training and 20 of re-training were made"):
        model.fit(X, X[:, 0])
    told = clone(model).set_params(n_retrain=20).fit(X, X[:, 0])
    np.testing.assert_array_equal(model.predict(X), told.predict(X))


@pytest.mark.parametrize(
    ("owner", "name", "call", "n_pretrain"),
    [
        (NeuronSelection, "paths", 1, None),
        (NeuronSelection, "trials", 1, 20),
        (NeuronSelection, "trials", 2, 80),
        (Training, "loss", 1, None),
        (Training, "loss", 2, None),
    ],
)
def test_an_interrupt_between_updates_leaves_a_usable_model(monkeypatch, owner, name, call, n_pretrain):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": "auto"})
    n_chosen = clone(model).fit(X, y).n_pretrain_
    assert n_chosen >= 80
    interrupt(monkeypatch, owner, name, call)
    with pytest.raises(KeyboardInterrupt, match=SAYS_SO):
        model.fit(X, y)
    assert (model.n_pretrain_, model.n_retrain_) == (n_pretrain or n_chosen, 0)
    assert model.score(X, y) > 0.5


@pytest.mark.parametrize(("call", "n_retrain"), [(1, 0), (2, 40)])
def test_an_interrupt_while_a_retraining_is_prepared(monkeypatch, call, n_retrain):
    X, y = problem(200)
    model = GreedyPrunedMLPClassifier(**SMALL)
    start, made = Training.__init__, []

    def interrupting(training, *arguments, name, **more):
        made.append(name)
        if sum(name != "pre-training" for name in made) == call:
            signal.raise_signal(signal.SIGINT)
        start(training, *arguments, name=name, **more)

    monkeypatch.setattr(Training, "__init__", interrupting)
    with pytest.raises(KeyboardInterrupt, match=SAYS_SO):
        model.fit(X, y)
    assert model.n_retrain_ <= n_retrain
    assert model.n_units_ == len(set(model.selection_path_))
    assert model.score(X, y) > 0.5


def product(kind):
    """Return an estimator and samples of a product of two features, for which trials follow the first."""
    n_samples, n_features, noise = {"numbers": (100, 30, 0.5), "classes": (200, 6, 0.1), "updates": (1300, 6, 0.1)}[
        kind
    ]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    y = X[:, 0] * X[:, 1] + noise * rng.normal(size=n_samples)
    small = {"n_hidden": 60, "k": 10, "n_pretrain": 20, "random_state": 0}
    return (
        (GreedyPrunedMLPRegressor(**small), X, y)
        if kind == "numbers"
        else (GreedyPrunedMLPClassifier(**small), X, y > 0)
    )


def counted(monkeypatch, where, call=0):
    """Send this process SIGINT at this setting-up of a re-training, or at this loss of a start; return the calls."""
    made = []

    def heard():
        made.append(1)
        if len(made) == call:
            signal.raise_signal(signal.SIGINT)

    def interrupting(owner, name, counts):
        method = getattr(owner, name)

        def called(one, *arguments, **named):
            if counts(one):
                heard()
            return method(one, *arguments, **named)

        monkeypatch.setattr(owner, name, called)

    if where == "set up":
        interrupting(Trainer, "retraining", lambda _: True)
    else:
        for owner in (Training, SecondOrderTraining):
            interrupting(owner, "loss", lambda training: not training.losses)
    return made


@pytest.mark.parametrize("kind", ["numbers", "classes", "updates"])
@pytest.mark.parametrize("where", ["set up", "first loss"])
def test_an_interrupt_before_the_first_loss_of_any_trial(monkeypatch, kind, where):
    model, X, y = product(kind)
    if kind == "updates":
        monkeypatch.setattr(_step_cost, "_MOST_OF_CLASSES", 0.0)
        monkeypatch.setattr(_step_cost, "_MORE_A_NUMBER", 0.0)
    with monkeypatch.context() as patch:
        made = counted(patch, where)
        model.fit(X, y)
    assert len(made) >= 2  # trials follow the first
    for call in range(1, len(made) + 1):
        with monkeypatch.context() as patch:
            counted(patch, where, call)
            with pytest.raises(KeyboardInterrupt, match=SAYS_SO):
                model.fit(X, y)
        assert len(model.predict(X)) == len(X)


@pytest.mark.parametrize(
    ("owner", "name", "call", "early_stopping", "keeps"),
    [
        (Training, "penalised_loss_of", 1, True, False),  # of the dense network
        (Training, "penalised_loss_of", 2, True, False),
        (Trainer, "choice", 1, True, False),  # before the first trial
        (Trainer, "choice", 1, False, False),  # before re-training without a trial
        (Prepared, "has_rare_words", 2, True, True),  # between two trials
        (NeuronSelection, "measured_on_all", 1, True, True),
        (Trainer, "posterior", 1, True, True),
        (Trainer, "posterior", 1, False, True),
    ],
)
def test_an_interrupt_beside_training_keeps_what_was_trained(monkeypatch, owner, name, call, early_stopping, keeps):
    model, X, y = product("classes")
    model.set_params(early_stopping=early_stopping)
    n_retrain = clone(model).fit(X, y).n_retrain_
    made = interrupt(monkeypatch, owner, name, call)
    with pytest.raises(KeyboardInterrupt, match=SAYS_SO):
        model.fit(X, y)
    assert len(made) >= call
    assert model.n_pretrain_ == 20
    assert model.n_retrain_ > 0 if keeps else model.n_retrain_ == 0
    assert model.n_retrain_ <= n_retrain
    assert model.n_units_ == len(set(model.selection_path_))
    assert np.isfinite(model.predict_proba(X)).all()


def test_parts_go_on_after_an_interrupt(monkeypatch):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, y, classes=[0, 1, 2])
    with monkeypatch.context() as patch:
        interrupt(patch, Training, "_update", 11)
        with pytest.raises(KeyboardInterrupt, match="30 iterations of pre-training"):
            model.partial_fit(X, y)
    assert model.partial_fit(X, y).n_pretrain_ == 50


def test_a_warm_start_goes_on_after_an_interrupt(monkeypatch):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True)
    with monkeypatch.context() as patch:
        interrupt(patch, Training, "_update", 11)
        with pytest.raises(KeyboardInterrupt, match="10 iterations of pre-training"):
            model.fit(X, y)
    fresh = clone(model).fit(X, y)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), fresh.predict_proba(X))


# A second interrupt is not held up.

SECOND = {
    "selection, again": [(NeuronSelection, "paths", 1, 2)],
    "update, selection": [(Training, "_update", 5), (NeuronSelection, "paths", 1)],
    "update, trial's loss": [(Training, "_update", 5), (Training, "loss", 1)],
    "selection, trial's loss": [(NeuronSelection, "paths", 1), (Training, "loss", 1)],
}


@pytest.mark.parametrize("where", SECOND)
@pytest.mark.parametrize("fitted", [False, True])
def test_a_second_interrupt_leaves_the_estimator_as_it_was(monkeypatch, where, fitted):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL)
    if fitted:
        model.fit(X, y == 0)
    before = dict(vars(model))
    for owner, name, *calls in SECOND[where]:
        interrupt(monkeypatch, owner, name, *calls)
    with pytest.raises(KeyboardInterrupt) as heard:
        model.fit(X, y)
    assert "fitted" not in str(heard.value)
    assert vars(model) == before


# Callbacks.


class Interrupting:
    """A callback that sends SIGINT at the end of a group of iterations, the first that is done with so many updates."""

    def __init__(self, after):
        self.after, self.torn_down, self.ended = after, 0, []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, **_):
        self.ended.append(context.task_name)
        if sum(name.endswith(" iterations") for name in self.ended) == self.after:
            self.after = None
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(("after", "n_pretrain", "n_retrain"), [(1, 20, 0), (2, 40, 0), (4, 40, 40), (5, 40, 60)])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_an_interrupt_in_a_callback(after, n_pretrain, n_retrain, early_stopping):
    pytest.importorskip("sklearn.callback")
    X, y = problem(200)
    callback = Interrupting(after)
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": 40, "n_retrain": 60}, early_stopping=early_stopping)
    with pytest.raises(KeyboardInterrupt, match=SAYS_SO):
        model.set_callbacks(callback).fit(X, y)
    assert model.n_pretrain_ == n_pretrain
    assert model.n_retrain_ <= n_retrain if early_stopping else model.n_retrain_ == n_retrain
    assert callback.torn_down == 1
    assert callback.ended[-1] == "fit"
    assert model.score(X, y) > 0.5


# Loops over fits.


@pytest.mark.parametrize("call", [5, 50, 62])
def test_an_interrupt_ends_the_loops_of_others(monkeypatch, call):
    X, y = problem()
    for loop in (
        lambda model: cross_val_score(model, X, y, cv=3),
        lambda model: GridSearchCV(model, {"k": [3, 4]}, cv=3, refit=False, error_score=0.0).fit(X, y),
        lambda model: PretrainThresholdSearch(model, n_pretrain=[20, 40], cv=3, error_score=0.0).fit(X, y),
        lambda model: PretrainThresholdSearch(model, param="n_retrain", n_pretrain=[20, 40], cv=3).fit(X, y),
        lambda model: pretrain_threshold_curve(model, X, y, n_repeats=2, n_pretrain=[20, 40]),
        lambda model: list(model.fit_path(X, y, n_pretrain=[30, 60])),
    ):
        with monkeypatch.context() as patch:
            made = interrupt(patch, Training, "_update", call)
            with pytest.raises(KeyboardInterrupt):
                loop(GreedyPrunedMLP(**SMALL))
        assert len(made) == call  # no other fit has begun


def test_an_interrupt_of_the_search_s_last_fit_is_heard(monkeypatch):
    X, y = problem()
    calls = []
    update = Training._update
    search = PretrainThresholdSearch(GreedyPrunedMLPClassifier(**SMALL), n_pretrain=[20], cv=2, refit=False)
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_update", lambda training, n: calls.append(n) or update(training, n))
        search.fit(X, y)
    made = interrupt(monkeypatch, Training, "_update", len(calls) + 5)
    with pytest.raises(KeyboardInterrupt):
        search.set_params(refit=True).fit(X, y)
    assert len(made) == len(calls) + 5
