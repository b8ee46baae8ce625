"""Fitted estimators in other libraries' hands: scikit-learn's MLP, torch, ONNX, joblib and skops."""

import joblib
import numpy as np
import pytest
import torch
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sklearn_gfs import GreedyPrunedMLP

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}
CASES = {
    "binary": ({}, lambda X: np.where(X[:, 0] > 0, "yes", "no")),
    "binary log loss": ({"loss": "log_loss"}, lambda X: (X[:, 0] > 0).astype(int)),
    "multiclass": ({"activation": "tanh"}, lambda X: np.digitize(X[:, 0], [-0.5, 0.5])),
    "multiclass log loss": (
        {"loss": "log_loss", "activation": "logistic"},
        lambda X: np.digitize(X[:, 0], [-0.5, 0.5]),
    ),
    "multilabel": ({}, lambda X: (X[:, :2] > 0).astype(int)),
    "multilabel log loss": ({"loss": "log_loss"}, lambda X: (X[:, :2] > 0).astype(int)),
    "number": ({"activation": "identity"}, lambda X: X[:, 0] + X[:, 1]),
    "corrective numbers": ({"corrective": True}, lambda X: X[:, :2] ** 2),
    "corrective log loss": ({"corrective": True, "loss": "log_loss"}, lambda X: np.digitize(X[:, 0], [-0.5, 0.5])),
    "numbers": ({}, lambda X: X[:, :2] ** 2),
}


@pytest.fixture(params=CASES)
def fitted(request):
    """Return an estimator fitted on a kind of target, and its inputs."""
    parameters, make_y = CASES[request.param]
    X = np.random.default_rng(0).normal(size=(60, 3))
    return GreedyPrunedMLP(**SMALL, **parameters).fit(X, make_y(X)), X


def test_to_sklearn_predicts_the_same(fitted):
    model, X = fitted
    other = model.to_sklearn()
    assert isinstance(other, MLPClassifier if hasattr(model, "classes_") else MLPRegressor)
    if hasattr(model, "classes_"):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        np.testing.assert_array_equal(other.classes_, model.classes_)
    else:
        np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-12)
    if hasattr(model, "decision_function"):
        np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X))
    other.coefs_[0][:] = 0  # a copy
    assert model.coefs_[0].any()


def test_to_sklearn_of_the_dense_network_of_a_path():
    X = np.random.default_rng(0).normal(size=(60, 3))
    dense = next(GreedyPrunedMLP(**SMALL).fit_path(X, X[:, 0], n_pretrain=[7])).estimator
    other = dense.to_sklearn()
    assert other.n_iter_ == len(other.loss_curve_) == 7
    np.testing.assert_allclose(other.predict(X), dense.predict(X), rtol=1e-12)


@pytest.mark.parametrize("fitted", [case for case in CASES if "number" not in case], indirect=True)
def test_to_sklearn_has_probabilities(fitted):
    model, X = fitted
    X = np.concatenate([X, 100 * X])
    probabilities = model.to_sklearn().predict_proba(X)
    assert probabilities.shape == model.predict_proba(X).shape
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    labels = model.to_sklearn().predict(X)
    np.testing.assert_array_equal(labels, model.predict(X))
    if labels.ndim == 1:
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], labels)
    else:
        np.testing.assert_array_equal(probabilities > 0.5, labels == 1)


@pytest.mark.parametrize("fitted", ["binary", "multiclass", "multilabel"], indirect=True)
def test_to_sklearn_agrees_to_first_order_where_classes_are_equally_likely(fitted):
    model, X = fitted
    several = model.n_outputs_ > 1 and model.predict(X).ndim == 1
    model.coefs_[1] *= 1e-4
    model.intercepts_[1][:] = 1 / len(model.classes_) if several else 0.5
    probabilities = model.predict_proba(X)
    assert np.ptp(probabilities) > 1e-5
    np.testing.assert_allclose(model.to_sklearn().predict_proba(X), probabilities, atol=1e-7)
    # Where all are equally likely to the last digit, the labels agree, too.
    model.coefs_[1][:] = 0
    np.testing.assert_array_equal(model.to_sklearn().predict(X), model.predict(X))
    model.coefs_[1][:], model.intercepts_[1][:] = 0, 0
    np.testing.assert_array_equal(model.to_sklearn().predict(X), model.predict(X))


@pytest.mark.parametrize("dtype", [None, "float32", "float64", "float16", "bfloat16"])
def test_to_torch_in_another_precision(fitted, dtype):
    model, X = fitted
    module = model.to_torch(dtype=None if dtype is None else getattr(torch, dtype))
    expected = torch.float64 if dtype is None else getattr(torch, dtype)
    assert {parameter.dtype for parameter in module.parameters()} == {expected}
    outputs = module(torch.from_numpy(X).to(expected)).detach().to(torch.float64).numpy()
    tolerance = 64 * torch.finfo(expected).eps
    np.testing.assert_allclose(outputs, model._outputs(X), rtol=tolerance, atol=tolerance)
    next(module.parameters()).data.zero_()  # a copy
    assert model.coefs_[0].any()


@pytest.mark.parametrize("dtype", ["float32", torch.int32, torch.complex64, np.float32, float])
def test_to_torch_wants_a_torch_dtype_of_floats(dtype):
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = GreedyPrunedMLP(**SMALL).fit(X, X[:, 0])
    with pytest.raises(TypeError, match=r"dtype=.* must be None or a floating-point dtype of torch"):
        model.to_torch(dtype=dtype)


def test_to_torch_gives_the_same_outputs(fitted):
    model, X = fitted
    module = model.to_torch()
    np.testing.assert_allclose(module(torch.from_numpy(X)).detach().numpy(), model._outputs(X), rtol=1e-10, atol=1e-12)
    assert [type(layer).__name__ for layer in module[::2]] == ["Linear", "Linear"]


def test_onnx_predicts_the_same(fitted):
    skl2onnx, onnxruntime = pytest.importorskip("skl2onnx"), pytest.importorskip("onnxruntime")
    model, X = fitted
    single = X.astype(np.float32)
    other = model.to_sklearn()
    options = {"zipmap": False} if hasattr(model, "classes_") else {}
    onnx = skl2onnx.to_onnx(other, single[:1], options={id(other): options})
    predicted = onnxruntime.InferenceSession(onnx.SerializeToString()).run(None, {"X": single})[0]
    if hasattr(model, "classes_"):
        assert np.mean(predicted == model.predict(X)) > 0.98
    else:
        np.testing.assert_allclose(predicted.reshape(model.predict(X).shape), model.predict(X), rtol=1e-3, atol=1e-4)


def test_joblib_and_skops_keep_the_model(fitted, tmp_path):
    skops_io = pytest.importorskip("skops.io")
    model, X = fitted
    joblib.dump(model, tmp_path / "model.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "model.joblib").predict(X), model.predict(X))
    content = skops_io.dumps(model)
    trusted = skops_io.get_untrusted_types(data=content)
    assert all(name.startswith("sklearn_gfs.") for name in trusted)
    np.testing.assert_array_equal(skops_io.loads(content, trusted=trusted).predict(X), model.predict(X))
