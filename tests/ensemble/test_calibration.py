"""Calibration: the temperature and the line that are best, their limits, and what the ensembles make of them."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from sklearn.datasets import make_classification, make_regression
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import LeaveOneOut
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from ensemble.small import Told, ToldNumbers, libraries, named, rows
from sklearn_gfs import GreedyEnsembleClassifier, GreedyEnsembleRegressor
from sklearn_gfs.ensemble._calibration import fit_calibration


@given(libraries())
def test_the_temperature_is_the_best(library):
    outputs, y, weight, _ = library
    found = fit_calibration(outputs[0], y, weight)
    expected = naive.temperature(outputs[0].tolist(), y.tolist(), weight.tolist())
    assert found.temperature == pytest.approx(expected, rel=1e-4)
    powers = np.maximum(outputs[0], np.finfo(float).eps) ** (1 / found.temperature)
    np.testing.assert_allclose(found(outputs[0]), powers / powers.sum(axis=1, keepdims=True), rtol=1e-9)


@given(libraries(classes=False))
def test_the_line_is_the_best(library):
    outputs, y, weight, _ = library
    found = fit_calibration(outputs[0], y, weight)
    for c in range(y.shape[1]):
        slope, intercept = naive.calibration_line(outputs[0][:, c], y[:, c], weight)
        assert (found.slope[c], found.intercept[c]) == pytest.approx((slope, intercept), abs=1e-8)
    np.testing.assert_allclose(found(outputs[0]), outputs[0] * found.slope + found.intercept)


@given(libraries())
def test_a_weight_is_a_number_of_samples(library):
    outputs, y, _, _ = library
    weight = np.arange(len(y)) % 3
    rows_of = np.repeat(np.arange(len(y)), weight)
    for targets in (y, np.eye(outputs.shape[2])[y]):
        whole, part = (
            np.concatenate([np.ravel(number) for number in fit_calibration(*arguments)])
            for arguments in ((outputs[0], targets, weight), (outputs[0][rows_of], targets[rows_of], None))
        )
        np.testing.assert_allclose(whole, part, rtol=1e-6, atol=1e-12)


def test_few_samples_that_are_all_right_make_no_certainty():
    y = np.arange(20) % 2
    shares = np.where(np.eye(2)[y] == 1, 0.9, 0.1)
    few = fit_calibration(shares, y, None)
    many = fit_calibration(np.tile(shares, (500, 1)), np.tile(y, 500), None)
    assert many.temperature < few.temperature
    assert few(shares).max() < 0.99
    assert np.isfinite(np.log(many(shares))).all()


def test_what_is_held_impossible_becomes_possible():
    y = np.arange(100) % 2
    wrong = np.arange(100) < 10
    found = fit_calibration(np.eye(2)[np.where(wrong, 1 - y, y)], y, None)
    assert found.temperature > 5
    assert found(np.eye(2)).min() == pytest.approx(0.1, abs=0.02)


def test_the_mean_of_the_other_samples_is_no_way_to_the_targets():
    """Left-out samples are above that mean just where they are large: a line that turns it around would know all."""
    X, y = make_regression(40, 3, random_state=0)
    ensemble = GreedyEnsembleRegressor([("mean", DummyRegressor())], cv=LeaveOneOut()).fit(X, y)
    assert ensemble.calibrations_[0].slope == 0.0
    np.testing.assert_allclose(ensemble.predict(X), y.mean())


def test_constant_numbers_are_moved_to_the_mean():
    y = np.array([1.0, 2.0, 6.0])[:, None]
    found = fit_calibration(np.full((3, 1), 0.1), y, None)
    assert found.slope == 1.0
    np.testing.assert_allclose(found(np.full((3, 1), 0.1)), 3.0)


CLASSES = make_classification(2000, 20, n_informative=8, n_redundant=8, n_classes=4, flip_y=0.05, random_state=0)
NUMBERS = make_regression(1000, 20, n_informative=8, noise=10.0, random_state=0)


def test_models_that_are_too_sure_or_not_sure_enough_are_worth_more():
    models = [
        ("bayes", GaussianNB()),
        ("near", KNeighborsClassifier(3)),
        ("forest", RandomForestClassifier(30, max_depth=5, random_state=0)),
    ]
    (X, y), (X_new, y_new) = ((part[::2] for part in CLASSES), (part[1::2] for part in CLASSES))
    raw, calibrated = (GreedyEnsembleClassifier(models, calibrate=way).fit(X, y) for way in (False, True))
    assert raw.calibration_ is None
    assert set(raw.calibrations_) == {None}
    temperatures = dict(zip(calibrated.named_estimators_, calibrated.calibrations_, strict=True))
    assert temperatures["forest"].temperature < 1 < temperatures["near"].temperature
    losses = [log_loss(y_new, one.predict_proba(X_new)) for one in (raw, calibrated)]
    assert losses[1] < 0.97 * losses[0]


def test_what_a_forest_says_too_little_of_is_said():
    (X, y), (X_new, y_new) = ((part[::2] for part in NUMBERS), (part[1::2] for part in NUMBERS))
    models = [("forest", RandomForestRegressor(30, random_state=0))]
    raw, calibrated = (GreedyEnsembleRegressor(models, calibrate=way).fit(X, y) for way in (False, True))
    assert calibrated.calibrations_[0].slope > 1.1
    assert mean_squared_error(y_new, calibrated.predict(X_new)) < 0.95 * mean_squared_error(y_new, raw.predict(X_new))


@given(libraries())
def test_one_model_keeps_its_labels(library):
    outputs, y, _, k = library
    n_classes = outputs.shape[2]
    model = Told(outputs[0], np.arange(n_classes))
    ensemble = GreedyEnsembleClassifier([("m", model)], k, cv="prefit")
    model.fit(rows(len(y)), y)
    said = ensemble.fit(rows(len(y)), y).predict_proba(rows(len(y)))
    np.testing.assert_allclose(said.sum(axis=1), 1.0)
    ties = np.sort(outputs[0], axis=1)[:, -1] - np.sort(outputs[0], axis=1)[:, -2] < 1e-9
    np.testing.assert_array_equal(said.argmax(axis=1)[~ties], outputs[0].argmax(axis=1)[~ties])


@given(libraries())
def test_classes_are_never_worse_on_the_samples_of_the_selection(library):
    outputs, y, weight, k = library
    models = [Told(table, np.arange(outputs.shape[2])).fit(rows(len(y)), y) for table in outputs]
    models = named([model.set_params(labels=np.arange(outputs.shape[2])) for model in models])
    ensemble = GreedyEnsembleClassifier(models, k, cv="prefit").fit(rows(len(y)), y, weight)
    least = np.finfo(float).eps
    losses = [
        float(-np.log(np.maximum(table[np.arange(len(y)), y], least)) @ weight)
        for table in (*outputs, ensemble.predict_proba(rows(len(y))))
    ]
    assert losses[-1] <= min(losses[:-1]) * (1 + 1e-6) + 1e-9


@given(libraries(classes=False))
def test_numbers_are_never_worse_on_the_samples_of_the_selection(library):
    outputs, y, weight, k = library
    targets = y[:, 0] if y.shape[1] == 1 else y
    models = named([ToldNumbers(table).fit(rows(len(y)), y) for table in outputs])
    ensemble = GreedyEnsembleRegressor(models, k, cv="prefit").fit(rows(len(y)), targets, weight)
    errors = [
        float(np.square(table.reshape(y.shape) - y).sum(axis=1) @ weight)
        for table in (*outputs, ensemble.predict(rows(len(y))))
    ]
    assert errors[-1] <= min(errors[:-1]) * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("way", [{"corrective": True, "loss": "squared_error"}, {"n_bags": 3, "random_state": 0}])
def test_all_ways_to_select_are_calibrated(way):
    models = [("bayes", GaussianNB()), ("line", LogisticRegression(max_iter=500))]
    ensemble = GreedyEnsembleClassifier(models, 10, **way).fit(*CLASSES)
    weights = ensemble.weights_[ensemble.weights_ != 0]
    said = ensemble.transform(CLASSES[0]).reshape(len(CLASSES[0]), len(weights), 4)
    mean = np.maximum(np.tensordot(said, weights, ([1], [0])), 0.0)
    np.testing.assert_allclose(
        ensemble.predict_proba(CLASSES[0]), ensemble.calibration_(mean / mean.sum(axis=1, keepdims=True)), rtol=1e-9
    )


def test_several_targets_have_a_line_each():
    X, y = make_regression(300, 5, n_targets=2, noise=5.0, random_state=0)
    ensemble = GreedyEnsembleRegressor([("forest", RandomForestRegressor(10)), ("line", LinearRegression())]).fit(X, y)
    assert ensemble.calibration_.slope.shape == (2,)
    assert ensemble.predict(X).shape == (300, 2)
