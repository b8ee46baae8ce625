"""Weights of samples and of classes: what they are worth, and what is refused."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.class_weight import compute_sample_weight

from mlp.small import SMALL, assert_equal_fits, blobs, problem
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp._class_weight import ClassFactors
from sklearn_gfs.network import SecondOrderTraining, effective_number


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_an_integer_weight_is_repetition(loss, early_stopping):
    X, y = blobs()
    weight = np.random.default_rng(0).integers(0, 3, size=len(y))
    model = GreedyPrunedMLPClassifier(**SMALL, loss=loss, batch_size=None, early_stopping=early_stopping)
    weighted = clone(model).fit(X, y, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(weighted.selection_path_, repeated.selection_path_)
    np.testing.assert_allclose(weighted.selection_losses_, repeated.selection_losses_, rtol=1e-6)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-5, atol=1e-8)
    assert weighted.dense_loss_ == pytest.approx(repeated.dense_loss_, rel=1e-6)
    plain = clone(model).fit(X, y)
    assert not np.allclose(plain.predict_proba(X), weighted.predict_proba(X))


def test_class_weights_multiply_sample_weights():
    X, y = blobs(n_classes=2)
    given = np.random.default_rng(1).uniform(1, 2, size=len(y))
    by_class = GreedyPrunedMLPClassifier(**SMALL, class_weight={0: 1.0, 1: 5.0}).fit(X, y, given)
    by_hand = GreedyPrunedMLPClassifier(**SMALL).fit(X, y, given * np.where(y == 1, 5.0, 1.0))
    np.testing.assert_array_equal(by_class.predict_proba(X), by_hand.predict_proba(X))


def fits_on_validation_samples(y, class_weight, factors):
    """Return what class weights give, and the same weights given for each sample, with validation samples."""
    X, given = problem(len(y))[0], given_weights(len(y))
    train, val = slice(0, 150), slice(150, None)
    model = GreedyPrunedMLPClassifier(**SMALL, retrain_solver="adam")
    by_class, weight = clone(model).set_params(class_weight=class_weight), given * factors
    part, own = {"X_val": X[val], "y_val": y[val]}, {"sample_weight_val": given[val]}
    *_, last = by_class.fit_path(X[train], y[train], given[train], n_pretrain=[20], **part, **own)
    by_class.fit(X[train], y[train], given[train], **part, **own)
    assert last.estimator.validation_loss_curve_ == by_class.validation_loss_curve_
    return by_class, model.fit(X[train], y[train], weight[train], **part, sample_weight_val=weight[val])


def given_weights(n_samples):
    return np.random.default_rng(5).uniform(1, 2, size=n_samples)


@pytest.mark.parametrize("class_weight", [{0: 1.0, 1: np.pi}, "balanced"])
def test_class_weights_count_for_validation_samples(class_weight):
    _, y = problem(300, n_classes=2)
    y[200:] = 0  # other frequencies than those of the training samples
    factor = np.pi
    if class_weight == "balanced":
        counts = np.bincount(y[:150], given_weights(300)[:150])
        factor = counts[0] / counts[1]
    by_class, by_hand = fits_on_validation_samples(y, class_weight, np.where(y == 1, factor, 1.0))
    np.testing.assert_allclose(by_class.validation_loss_curve_, by_hand.validation_loss_curve_, rtol=1e-5)


def test_weights_of_several_labels_count_for_validation_samples():
    _, y = problem(300)
    Y = np.stack([y == 0, y > 0], axis=1).astype(int)
    Y[150:, 1] = 0  # a label that no validation sample has
    factors = np.where(Y[:, 0], np.pi, 1.0) * np.where(Y[:, 1], 1.5, 1.0)
    by_class, by_hand = fits_on_validation_samples(Y, [{0: 1.0, 1: np.pi}, {1: 1.5}], factors)
    np.testing.assert_allclose(by_class.validation_loss_curve_, by_hand.validation_loss_curve_, rtol=1e-5)
    balanced, _ = fits_on_validation_samples(Y, "balanced", factors)
    assert balanced.validation_loss_curve_ != by_class.validation_loss_curve_


def test_class_weights_leave_some_validation_sample():
    X, y = blobs(n_classes=2)
    with pytest.raises(ValueError, match=r"all validation samples are zero; class_weight was \{0: 0.0, 1: 1.0\}"):
        GreedyPrunedMLPClassifier(**SMALL, class_weight={0: 0.0, 1: 1.0}).fit(X, y, X_val=X[y == 0], y_val=y[y == 0])


def test_balanced_classes_raise_the_recall_of_the_rare_one():
    rng = np.random.default_rng(2)
    y = (np.arange(300) % 15 == 0).astype(int)
    X = rng.normal(size=(300, 2)) + y[:, None]
    parameters = SMALL | {"k": 20, "n_retrain": 200}
    plain = GreedyPrunedMLPClassifier(**parameters).fit(X, y).predict(X)
    balanced = GreedyPrunedMLPClassifier(**parameters, class_weight="balanced").fit(X, y).predict(X)
    assert balanced[y == 1].mean() > plain[y == 1].mean() + 0.2


@pytest.mark.parametrize("labels", ["one", "several"])
def test_balanced_classes_count_samples_by_their_weight(labels):
    X, y = blobs(90)
    y = np.stack([y == 0, y > 0], axis=1).astype(int) if labels == "several" else y
    weight = np.random.default_rng(4).integers(0, 4, size=90)
    model = GreedyPrunedMLPClassifier(**SMALL, batch_size=None, class_weight="balanced")
    weighted = clone(model).fit(X, y, weight).predict_proba(X)
    repeated = clone(model).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0)).predict_proba(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-9, atol=1e-12)
    other = clone(model).set_params(class_weight=None).fit(X, y, weight).predict_proba(X)
    assert np.abs(weighted - other).max() > 1e-3


@pytest.mark.parametrize("weighted", ["class_weight", "sample_weight"])
def test_no_few_samples_of_a_rare_class_judge_alone(weighted):
    """A held-out tenth would have two samples of the rare class, with half of the weight."""
    X, y = problem(400, n_classes=2)
    rare = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:20]]
    X, y = X[rare], y[rare]
    model = GreedyPrunedMLPClassifier(**SMALL)
    # Not multiples of a unit, which would be numbers of copies.
    weight = compute_sample_weight("balanced", y) ** 1.001 if weighted == "sample_weight" else None
    assert len(model.fit(X, y).validation_loss_curve_)
    model.set_params(class_weight="balanced" if weight is None else None)
    assert len(model.fit(X, y, sample_weight=weight).validation_loss_curve_) == 0
    model.set_params(validation_fraction=0.1)
    assert len(model.fit(X, y, sample_weight=weight).validation_loss_curve_)


def test_the_penalty_counts_the_samples_that_weights_are_worth():
    X, y = problem(400, n_classes=2)
    weight = np.where(y == 1, 3.14159, 1.0)
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": 0}, retrain_solver="adam", early_stopping=False)
    expected = clone(model).set_params(alpha=1 / effective_number(weight, np.ones(400))).fit(X, y, weight)
    assert_equal_fits(model.fit(X, y, weight), expected)


def test_class_weights_of_several_labels():
    X, y = blobs()
    Y = np.stack([y == 0, y > 0], axis=1).astype(int)
    # Whole-number weights of samples would count copies, which weights of classes never do.
    factors = [{0: 1.0, 1: np.pi}, {0: 1.7321, 1: 1.0}]
    by_hand = np.where(Y[:, 0], np.pi, 1.0) * np.where(Y[:, 1], 1.0, 1.7321)
    expected = GreedyPrunedMLPClassifier(**SMALL).fit(X, Y, by_hand).predict_proba(X)
    model = GreedyPrunedMLPClassifier(**SMALL, class_weight=factors)
    np.testing.assert_array_equal(model.fit(X, Y).predict_proba(X), expected)
    np.testing.assert_array_equal(clone(model).partial_fit(X, Y).predict_proba(X), expected)
    with pytest.raises(ValueError, match="list of dicts"):
        GreedyPrunedMLPClassifier(class_weight={1: 2.0}).fit(X, Y)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_class_weights_of_labels_have_no_unit(size):
    X, y = blobs()
    Y = np.stack([y == 0, y > 0], axis=1).astype(int)
    model = GreedyPrunedMLPClassifier(**SMALL)
    expected = clone(model).set_params(class_weight=[{0: 1.0, 1: 4.0}, {0: 0.25, 1: 1.0}]).fit(X, Y).predict_proba(X)
    unit = 2.0 ** np.rint(np.log2(size))
    far = [{0: unit, 1: 4 * unit}, {0: unit / 4, 1: unit}]
    weight = np.full(len(y), unit)
    np.testing.assert_array_equal(model.set_params(class_weight=far).fit(X, Y, weight).predict_proba(X), expected)


@pytest.mark.parametrize(("n_labels", "share", "n_full"), [(2000, 0.02, 0), (300, 0.02, 1), (300, 0.98, 0)])
def test_balanced_weights_of_many_labels_keep_their_ratios(n_labels, share, n_full):
    rng = np.random.default_rng(0)
    Y = rng.random((200, n_labels)) < share
    Y[:n_full] = True
    both = {"classes": np.arange(n_labels), "several": True, "partial": False}
    given = rng.uniform(0.5, 2.0, size=200)
    weight = ClassFactors("balanced", Y, None, **both).weigh(Y, given)
    shares = Y.mean(axis=0)
    with np.errstate(divide="ignore"):  # some labels are those of all samples
        logarithms = np.where(Y, -np.log(2 * shares), -np.log(2 - 2 * shares)).sum(axis=1) + np.log(given)
        expected = np.exp(logarithms - logarithms.max())
    np.testing.assert_allclose(weight / weight.max(), expected, rtol=1e-9, atol=1e-300)
    assert 1 <= weight.max() < 2


def test_a_class_weight_of_zero_leaves_labels_out():
    Y = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=bool)
    both = {"classes": np.arange(2), "several": True, "partial": False}
    weight = ClassFactors([{0: 0.0, 1: 1e-300}, {0: 1e-300, 1: 0.0}], Y, None, **both).weigh(Y, None)
    np.testing.assert_array_equal(weight / weight.max(), [1.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("wrong", [{0: -3.0}, {1: np.nan}, {2: np.inf}])
def test_impossible_class_weights_are_named(wrong):
    X, y = blobs()
    with pytest.raises(ValueError, match=r"class_weight=.* must hold finite numbers that are not negative"):
        GreedyPrunedMLPClassifier(**SMALL, class_weight=wrong).fit(X, y)


@pytest.mark.parametrize("lists", [[], [{0: 1.0, 1: 3.0}]])
def test_a_list_of_class_weights_is_for_several_labels(lists):
    X, y = blobs()
    with pytest.raises(ValueError, match="is a list, which is for multilabel y"):
        GreedyPrunedMLPClassifier(**SMALL, class_weight=lists).fit(X, y)


@pytest.mark.parametrize("unit", [1e-310, 1e-30, 1e14, 1e300])
def test_the_unit_of_weights_does_not_matter(unit):
    X, _ = blobs()
    y = 1e5 + X[:, 0]
    weight = np.random.default_rng(5).integers(1, 4, size=60)
    model = GreedyPrunedMLPRegressor(**SMALL)
    expected = clone(model).fit(X, y, weight).predict(X)
    np.testing.assert_allclose(model.fit(X, y, unit * weight).predict(X), expected, rtol=1e-12)


def test_one_weight_far_above_the_others():
    X, y = blobs()
    weight = np.ones(60)
    weight[7] = 1e40
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X, y, weight)
    assert model.predict(X)[7] == y[7]
    assert np.isfinite(model.predict_proba(X)).all()


def test_entries_of_sparse_data_in_two_parts_are_added():
    X, y = blobs()
    X = sparse.csr_array(X)
    halved = sparse.csr_array((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)
    expected = GreedyPrunedMLPClassifier(**SMALL).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(GreedyPrunedMLPClassifier(**SMALL).fit(halved, y).predict_proba(X), expected)
    assert halved.nnz == 2 * X.nnz


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.zeros(60), "weights of all samples are zero|at least one non-zero"),
        (-np.ones(60), "[Nn]egative"),
        (np.ones(59), "sample_weight"),
    ],
)
def test_impossible_weights_are_refused(weight, message):
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLP(**SMALL).fit(X, y, sample_weight=weight)


def test_uneven_weights_of_classes_determine_less(monkeypatch):
    """The evidence of second-order steps counts the samples that uneven weights leave."""
    counts, init = [], SecondOrderTraining.__init__

    def noted(self, *args, n_samples, **kwargs):
        counts.append(n_samples)
        init(self, *args, n_samples=n_samples, **kwargs)

    monkeypatch.setattr(SecondOrderTraining, "__init__", noted)
    y = (np.arange(200) % 20 == 0).astype(int)
    X = np.random.default_rng(3).normal(size=(200, 3)) + y[:, None]
    weight = compute_sample_weight("balanced", y)
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_retrain": 2}, retrain_solver="lm", early_stopping=False)
    clone(model).set_params(class_weight="balanced").fit(X, y)
    clone(model).fit(X, y)
    assert counts == pytest.approx([effective_number(weight, np.ones(200)), 200])
