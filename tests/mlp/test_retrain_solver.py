"""The solvers of re-training: who is asked, for how long, on what, and what the data say of the penalty."""

import pickle

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris, make_friedman1, make_multilabel_classification

from mlp.small import ALL, SMALL, assert_equal_fits
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp._schedule import Schedule, schedule_of_updates
from sklearn_gfs.mlp._trainer import Trainer
from sklearn_gfs.network import LOSSES, _step_cost
from sklearn_gfs.network._second_order import LBFGS, LevenbergMarquardt

QUICK = SMALL | {"n_retrain": "auto"}
SECOND_ORDER = ["lm", "lbfgs"]


def numbers(n_samples=200, seed=0):
    return make_friedman1(n_samples, noise=0.5, random_state=seed)


def noisy_sine(n_samples, rng, *, low=-3.0, high=3.0):
    X = rng.uniform(low, high, size=(n_samples, 2))
    return X, 5 + 10 * np.sin(X[:, 0]) + 2 * rng.normal(size=n_samples)


@pytest.fixture
def steps(monkeypatch):
    """Names of the second-order solvers, step by step."""
    made = []
    for solver in (LevenbergMarquardt, LBFGS):

        def counted(self, step=solver.step):
            made.append(self.name)
            return step(self)

        monkeypatch.setattr(solver, "step", counted)
    return made


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_trial_ends_where_nothing_worth_a_step_is_left(noise):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 1))
    y = np.tanh(X[:, 0]) + noise * rng.normal(size=200)
    losses = GreedyPrunedMLPRegressor(**QUICK).fit(X, y).validation_loss_curve_
    assert min(losses[:-1]) > 1e-6
    assert (losses[-1] < 1e-6) == (noise == 0)


@pytest.mark.parametrize("cls", ALL)
def test_defaults_are_automatic(cls):
    assert cls().n_retrain == cls().retrain_solver == cls().alpha == "auto"


@pytest.mark.parametrize(
    ("loss", "n_classes", "expected"),
    [("squared_error", 3, set()), ("squared_error", 2, set()), ("log_loss", 2, {"lm"}), ("log_loss", 3, set())],
)
def test_the_loss_of_classes_decides_which_solver_serves(steps, monkeypatch, loss, n_classes, expected):
    monkeypatch.setattr(_step_cost, "_MOST_TRIED_OF_MANY", 0.0)  # nor are steps tried after updates
    X, y = load_iris(return_X_y=True)
    # More rows of the Jacobian than parameters.
    X, y = (np.repeat(array[y < n_classes], 4, axis=0) for array in (X, y))
    GreedyPrunedMLPClassifier(**QUICK, loss=loss, batch_size=32).fit(X, y)
    assert set(steps) == expected


@pytest.mark.parametrize("limit", ["_MOST_PARAMETERS", "_MOST_OPERATIONS"])
def test_sizes_decide_which_solver_serves(steps, monkeypatch, limit):
    X, y = numbers()
    GreedyPrunedMLPRegressor(**QUICK).fit(X, y)
    assert set(steps) == {"lm"}
    steps.clear()
    monkeypatch.setattr(f"sklearn_gfs.network._step_cost.{limit}", 20)
    for number in ("_FEWEST_UPDATES", "_MOST_UPDATES"):
        monkeypatch.setattr(f"sklearn_gfs.mlp._schedule.{number}", 60)
    model = GreedyPrunedMLPRegressor(**QUICK, early_stopping=False).fit(X, y)
    assert steps == []
    assert model.n_retrain_ == 60


def test_a_number_of_iterations_means_updates_of_the_solver(steps):
    X, y = numbers()
    model = GreedyPrunedMLPRegressor(**SMALL)
    expected = clone(model).set_params(retrain_solver="adam", alpha=1e-3).fit(X, y)
    assert_equal_fits(model.fit(X, y), expected)
    assert steps == []


@pytest.mark.parametrize(
    ("fewest", "most", "expected"),
    [(3000, 9000, 3000), (20, 9000, 200 * 12), (20, 750, 500), (20, 50, 10 * 12)],
)
def test_gradient_updates_last_for_passes_over_the_samples(monkeypatch, fewest, most, expected):
    X, y = numbers(600)
    monkeypatch.setattr("sklearn_gfs.mlp._schedule._FEWEST_UPDATES", fewest)
    monkeypatch.setattr("sklearn_gfs.mlp._schedule._MOST_UPDATES", most)
    model = GreedyPrunedMLPRegressor(**QUICK, retrain_solver="adam", early_stopping=False, batch_size=50)
    assert model.fit(X, y).n_retrain_ == expected


@pytest.mark.parametrize("n_retrain", ["auto", 60])
def test_gradient_updates_that_no_held_out_loss_ended_continue_from_the_trial(monkeypatch, n_retrain):
    X, y = load_iris(return_X_y=True)
    made = []
    training = Trainer.retraining
    monkeypatch.setattr(
        Trainer, "retraining", lambda self, *args, **kwargs: made.append(training(self, *args, **kwargs)) or made[-1]
    )
    parameters = QUICK | {"n_retrain": n_retrain, "retrain_solver": "adam", "batch_size": 32, "early_stopping": True}
    ends = {}
    for most in (60, 4000):
        for number in ("_FEWEST_UPDATES", "_MOST_UPDATES"):
            monkeypatch.setattr(f"sklearn_gfs.mlp._schedule.{number}", most)
        made.clear()
        model = GreedyPrunedMLPClassifier(**parameters).fit(X, y)
        trial, final = made
        best = min(model.validation_iterations_, key=lambda i: model.validation_loss_curve_[i // 20])
        ends[most] = len(trial.losses), len(final.losses), best
        assert model.n_retrain_ == len(model.retrain_loss_curve_)
    n_trial, n_final, best = ends[60]
    assert n_trial == best == 60  # the loss still falls
    assert n_final == (60 if n_retrain == 60 else 3 + 12)
    n_trial, n_final, _ = ends[4000]
    if n_retrain == "auto":
        assert n_trial / 2 < n_final <= n_trial < 4000  # what was seen ended it, and all begins anew


def test_without_held_out_samples_two_thirds_of_the_updates_are_made():
    n_updates = {
        n: [schedule_of_updates("auto", n, held, 100).n_iterations for held in (0, 50)] for n in (10**4, 10**5)
    }
    assert n_updates == {10**4: [20_000, 30_000], 10**5: [66_666, 100_000]}
    assert schedule_of_updates("auto", 1000, 0, 100).n_iterations == 12_000
    assert schedule_of_updates("auto", 2 * 10**6, 0, 100).n_iterations == 2 * 10**5  # ten passes
    assert schedule_of_updates(70, 10**6, 0, 100).n_iterations == 70


def test_looks_at_many_held_out_samples_are_rare():
    X, y = numbers(800)
    model = GreedyPrunedMLPRegressor(**SMALL | {"n_retrain": 400}, batch_size=2)
    looks = {n: model.fit(X, y, X_val=X[:n], y_val=y[:n]).validation_iterations_ for n in (79, 80, 799, 800)}
    assert [list(np.diff(looks[n])[:1]) for n in looks] == [[20], [40], [380], [400]]


def test_a_trial_lasts_longer_the_later_its_last_record_is():
    assert [Schedule(100, 20, 10, 1.5).end(record) for record in (0, 10, 20, 40, 90)] == [10, 20, 30, 60, 100]
    assert [Schedule(100, 20, 10).end(record) for record in (0, 40, 95)] == [10, 50, 100]


@pytest.mark.parametrize("solver", SECOND_ORDER)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_number_bounds_second_order_steps(solver, early_stopping):
    X, y = numbers()
    model = GreedyPrunedMLPRegressor(**SMALL | {"n_retrain": 3}, retrain_solver=solver, early_stopping=early_stopping)
    model.fit(X, y)
    # After a trial some more steps are made on all samples.
    assert 0 < model.n_retrain_ <= (6 if early_stopping else 3)
    assert model.n_retrain_ == len(model.retrain_loss_curve_)
    assert model.set_params(n_retrain=0).fit(X, y).n_retrain_ == 0


@pytest.mark.parametrize("solver", [*SECOND_ORDER, "adam", "sgd"])
@pytest.mark.parametrize("loss", list(LOSSES))
def test_each_solver_lowers_each_loss(solver, loss):
    X, y = load_iris(return_X_y=True)
    parameters = SMALL | {"n_retrain": 30 if solver in SECOND_ORDER else 300}
    model = GreedyPrunedMLPClassifier(**parameters, loss=loss, retrain_solver=solver, early_stopping=False)
    model.fit(X, y)
    assert model.retrain_loss_curve_[-1] < 0.8 * model.retrain_loss_curve_[0]
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("solver", SECOND_ORDER)
@pytest.mark.parametrize("loss", list(LOSSES))
def test_several_labels(solver, loss):
    X, y = make_multilabel_classification(200, random_state=0)
    model = GreedyPrunedMLPClassifier(**QUICK, loss=loss, retrain_solver=solver, early_stopping=False).fit(X, y)
    assert (model.predict(X) == y).mean() > 0.85


@pytest.mark.parametrize("solver", SECOND_ORDER)
@pytest.mark.parametrize("batch_size", [32, None])
def test_sparse_inputs_and_weights_of_zero(solver, batch_size):
    X, y = numbers()
    model = GreedyPrunedMLPRegressor(**QUICK, retrain_solver=solver, batch_size=batch_size)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=len(y))
    weight[::3] = 0
    kept = weight > 0
    expected = clone(model).fit(X[kept], y[kept], weight[kept]).predict(X)
    strange = np.where(kept, y, 1e6)
    np.testing.assert_allclose(clone(model).fit(X, strange, weight).predict(X), expected, rtol=1e-6)
    found = clone(model).fit(sparse.csr_array(X), y, weight)
    assert found.score(X, y) > 0.6


@pytest.mark.parametrize("solver", SECOND_ORDER)
def test_in_full_batch_a_weight_of_two_is_two_samples(solver):
    X, y = numbers(60)
    copies = np.arange(60) % 2 + 1
    model = GreedyPrunedMLPRegressor(**QUICK, retrain_solver=solver, batch_size=None)
    weighted = clone(model).fit(X, y, copies)
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(60), copies))
    assert_equal_fits(weighted, clone(model).fit(X[order], y[order]))


@pytest.mark.parametrize("solver", SECOND_ORDER)
def test_a_path_is_made_of_fits(solver):
    X, y = numbers(120)
    model = GreedyPrunedMLPRegressor(**QUICK, retrain_solver=solver)
    for point in model.fit_path(X, y, n_pretrain=[5, 20], k=[3, 8]):
        if point.k is not None:
            assert_equal_fits(
                point.estimator, clone(model).set_params(n_pretrain=point.n_pretrain, k=point.k).fit(X, y)
            )


def test_validation_samples_decide_and_none_is_held_out():
    X, y = numbers(300)
    model = GreedyPrunedMLPRegressor(**QUICK).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    best = np.argmin(model.validation_loss_curve_)
    assert abs(model.n_retrain_ - best) <= 8
    outputs = model.predict(X[200:])
    loss = 0.5 * np.mean((outputs - y[200:]) ** 2) / y[:200].var()
    assert loss < 1.02 * min(model.validation_loss_curve_)


def test_a_penalty_that_is_a_number_is_kept():
    X, y = numbers(120)
    strong, weak = (GreedyPrunedMLPRegressor(**QUICK, alpha=alpha, early_stopping=False).fit(X, y) for alpha in (10, 0))
    sizes = [np.linalg.norm(model.coefs_[0]) * np.linalg.norm(model.coefs_[1]) for model in (strong, weak)]
    assert sizes[0] < 0.1 * sizes[1]


@pytest.mark.parametrize(("n_features", "shrunk"), [(12, 1.0), (48, 0.25)])
def test_the_automatic_penalty_of_pretraining_is_meant_for_inputs_that_are_not_shrunk(n_features, shrunk):
    # From a squared norm of 12 on, inputs are shrunk: with 48 features to half.
    X = np.random.default_rng(0).normal(size=(200, n_features))
    model = GreedyPrunedMLPRegressor(**SMALL | {"n_retrain": 0})
    assert_equal_fits(clone(model).fit(X, X[:, 0]), model.set_params(alpha=1e-3 * shrunk).fit(X, X[:, 0]))


@pytest.mark.parametrize("retrain_solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("cls", [GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor])
def test_the_automatic_penalty_of_classes_falls_with_the_share_of_sparse_values_that_are_not_zero(cls, retrain_solver):
    X = np.random.default_rng(0).normal(size=(200, 30))
    X[np.add.outer(np.arange(200), np.arange(30)) % 4 > 0] = 0
    X[:, -2:] = 0  # no sample has these
    X = sparse.csr_array(X)
    y = np.arange(200) % 3
    share = 0.25 if cls is GreedyPrunedMLPClassifier else 1.0
    model = cls(**SMALL | {"n_pretrain": 0}, retrain_solver=retrain_solver, early_stopping=False)
    alpha = min(share / 200, 1e-3) if cls is GreedyPrunedMLPRegressor else share / 200
    assert_equal_fits(clone(model).fit(X, y), model.set_params(alpha=alpha).fit(X, y))


def test_the_data_speak_for_their_penalty():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 12))
    y = np.sin(2 * X[:, 0]) + 0.1 * rng.normal(size=300)
    model = GreedyPrunedMLPRegressor(**QUICK, activation="tanh", early_stopping=False)
    found, without = model.fit(X[:150], y[:150]), clone(model).set_params(alpha=0).fit(X[:150], y[:150])
    assert found.score(X[150:], y[150:]) > without.score(X[150:], y[150:])
    of_features = np.linalg.norm(found.coefs_[0], axis=1)
    assert of_features[0] > 5 * of_features[1:].max()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_intervals_cover(early_stopping):
    rng = np.random.default_rng(1)
    X, y = noisy_sine(400, rng)
    model = GreedyPrunedMLPRegressor(
        k=10, n_hidden=100, activation="tanh", early_stopping=early_stopping, random_state=0
    )
    X_new, y_new = noisy_sine(4000, rng)
    y_pred, y_std = model.fit(X, y).predict(X_new, return_std=True)
    for width, share in ((1.0, 0.683), (1.645, 0.9), (2.576, 0.99)):
        assert np.mean(np.abs(y_new - y_pred) < width * y_std) == pytest.approx(share, abs=0.03)
    # The noise alone is 2; where there were no samples the network is less certain.
    assert 1.8 < np.median(y_std) < 2.4
    assert model.predict(np.full((1, 2), 9.0), return_std=True)[1] > 1.5 * np.median(y_std)


def test_deviations_have_the_units_and_the_shape_of_the_targets():
    X, y = numbers()
    model = GreedyPrunedMLPRegressor(**QUICK)
    y_pred, y_std = clone(model).fit(X, y).predict(X, return_std=True)
    assert y_std.shape == y_pred.shape == y.shape
    scaled = clone(model).fit(X, 1000 * y + 5).predict(X, return_std=True)[1]
    np.testing.assert_allclose(scaled, 1000 * y_std, rtol=1e-3)
    both = clone(model).fit(X, np.stack([y, -3 * y], axis=1)).predict(X, return_std=True)
    assert both[1].shape == (len(y), 2)
    np.testing.assert_allclose(both[1][:, 1], 3 * both[1][:, 0], rtol=0.1)
    single = clone(model).fit(X.astype(np.float32), y).predict(X.astype(np.float32), return_std=True)[1]
    assert single.dtype == np.float32
    restored = pickle.loads(pickle.dumps(clone(model).fit(X, y)))
    np.testing.assert_array_equal(restored.predict(X, return_std=True)[1], y_std)


def test_deviations_need_levenberg_and_marquardt():
    X, y = numbers(60)
    model = GreedyPrunedMLPRegressor(**QUICK).fit(X, y)
    assert len(model.predict(X, return_std=True)) == 2
    for changed in ({"n_retrain": 20}, {"retrain_solver": "lbfgs"}):
        other = clone(model).set_params(**changed)
        with pytest.raises(ValueError, match="return_std=True needs a subnetwork that was re-trained by Levenberg"):
            other.fit(X, y).predict(X, return_std=True)
    # What an earlier fit left open is forgotten.
    with pytest.raises(ValueError, match="return_std=True"):
        model.set_params(n_retrain=20).fit(X, y).predict(X, return_std=True)


def test_wrong_values_are_refused():
    X, y = numbers(60)
    for wrong in ({"retrain_solver": "newton"}, {"alpha": "evidence"}, {"n_retrain": "all"}):
        with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' parameter"):
            GreedyPrunedMLP(**SMALL | wrong).fit(X, y)
    with sklearn.config_context(working_memory=0), pytest.raises(ValueError, match="scikit-learn's working_memory"):
        GreedyPrunedMLPRegressor(**QUICK, retrain_solver="lm").fit(X, y)


def test_the_solver_of_the_trial_trains_on_all_samples(steps, monkeypatch):
    """A subnetwork of all samples may have fewer neurons than that of the trial, and steps would then serve it."""
    X, y = make_friedman1(2100, noise=1.0, random_state=1)
    n_trial, n_final = (
        len(GreedyPrunedMLPRegressor(random_state=0, **settings).fit(X, y).intercepts_[0])
        for settings in ({}, {"retrain_solver": "adam"})
    )
    assert n_trial > n_final
    steps.clear()
    monkeypatch.setattr(_step_cost, "_MOST_PARAMETERS", (X.shape[1] + 2) * n_final + 1)
    model = GreedyPrunedMLPRegressor(random_state=0).fit(X, y)
    assert len(model.intercepts_[0]) == n_final
    assert model.n_retrain_ > 80
    assert not steps
