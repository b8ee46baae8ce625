"""Every version of ONNX's operators, the selector and the search, several inputs, and what can't be converted."""

import functools

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import (
    GreedyForwardSelector,
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    PretrainThresholdSearch,
    register_onnx_converters,
)

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

# Up to the one that the converter takes by default: the newest that it and the installed onnx know.
OPSETS = range(9, skl2onnx.proto.get_latest_tested_opset_version() + 1)
ACTIVATIONS = ("identity", "logistic", "relu", "tanh")
TARGETS = {
    "two classes": lambda X: np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)],
    "classes": lambda X: np.digitize(X[:, 0], [-0.7, 0.0, 0.7]),
    "labels": lambda X: (X[:, :3] > 0).astype(int),
    "number": lambda X: X[:, 0] + X[:, 1] ** 2,
    "numbers": lambda X: X[:, :3] ** 2,
}
SMALL = {"n_pretrain": 10, "k": 6, "n_hidden": 30, "n_retrain": 20, "random_state": 0}


def inputs(dtype=np.float64):
    return np.random.default_rng(0).normal(size=(60, 4)).astype(dtype)


@functools.cache
def fitted(target, loss, activation, dtype):
    X = inputs(dtype)
    model = GreedyPrunedMLP(**SMALL, activation=activation, loss=loss)
    return model.fit(X, TARGETS[target](X))


def run(model, X, options=None, target_opset=None, feeds=None):
    register_onnx_converters()
    sample = X[:1]
    onnx = skl2onnx.to_onnx(model, sample, options=options, target_opset=target_opset)
    if target_opset is not None:
        assert next(domain.version for domain in onnx.opset_import if domain.domain == "") <= target_opset
    try:
        session = onnxruntime.InferenceSession(onnx.SerializeToString(), providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        # Earlier runtimes lack the first versions of some operators in float64; MLPClassifier meets the same.
        if tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= (1, 32):
            raise
        pytest.skip(str(error))
    return session.run(None, {"X": X} if feeds is None else feeds)


def assert_same(model, X, results):
    """Compare with the estimator; float32 may decide otherwise where the estimator is in doubt."""
    atol = 1e-4 if X.dtype == np.float32 else 1e-10
    if not hasattr(model, "classes_"):
        (values,) = results
        expected = model.predict(X).reshape(len(X), -1)
        assert values.dtype == X.dtype
        np.testing.assert_allclose(values, expected, rtol=atol, atol=atol)
        return
    label, probabilities = results
    expected = model.predict_proba(X)
    assert probabilities.dtype == X.dtype
    np.testing.assert_allclose(probabilities, expected, rtol=atol, atol=atol)
    several = label.ndim == 2
    sure = np.abs(expected - 0.5) if several else np.diff(np.sort(expected, axis=1)[:, -2:], axis=1)[:, 0]
    np.testing.assert_array_equal(label[sure > 1e-3], model.predict(X)[sure > 1e-3])
    assert (sure > 1e-3).mean() > 0.5


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("target", "loss"),
    [(target, "squared_error") for target in TARGETS]
    + [(target, "log_loss") for target in ("two classes", "classes", "labels")],
)
def test_every_version(target, loss, dtype, opset):
    X = inputs(dtype)
    for activation in ACTIVATIONS:
        model = fitted(target, loss, activation, dtype)
        options = {"zipmap": False} if hasattr(model, "classes_") else None
        assert_same(model, X, run(model, X, options, opset))
        far = 100 * X  # where probabilities are projected and clipped
        if hasattr(model, "classes_") and dtype == np.float64:
            np.testing.assert_allclose(run(model, far, options, opset)[1], model.predict_proba(far), atol=1e-9)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_columns(dtype, opset):
    X = (10 * inputs()).astype(dtype)
    selector = GreedyForwardSelector(k=3).fit(X, X[:, 2] - 2.0 * X[:, 3])
    (kept,) = run(selector, X, target_opset=opset)
    assert kept.dtype == dtype
    np.testing.assert_array_equal(kept, selector.transform(X))
    first = GreedyForwardSelector(k=1).fit(X, X[:, 0] + 0.0)
    assert first.get_support(indices=True).tolist() == [0]
    np.testing.assert_array_equal(run(first, X, target_opset=opset)[0], X[:, :1])


@pytest.mark.parametrize("opset", [OPSETS[0], OPSETS[-1]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_within_others(dtype, opset):
    X = inputs(dtype)
    y = TARGETS["classes"](X)
    columns = GreedyForwardSelector(k=4)
    chain = make_pipeline(StandardScaler(), columns, GreedyPrunedMLPClassifier(**SMALL)).fit(X, y)
    assert_same(chain, X, run(chain, X, {"zipmap": False}, opset))
    union = make_union(columns, StandardScaler()).fit(X, y)
    np.testing.assert_allclose(run(union, X, target_opset=opset)[0], union.transform(X), rtol=1e-5, atol=1e-6)
    parts = make_column_transformer((StandardScaler(), [0, 1]), (columns, [1, 2, 3])).fit(X, y)
    np.testing.assert_allclose(run(parts, X, target_opset=opset)[0], parts.transform(X), rtol=1e-5, atol=1e-6)


def search_of(estimator):
    return PretrainThresholdSearch(estimator, n_pretrain=[5, 10], k=[3, 6], cv=2, n_jobs=1)


@pytest.mark.parametrize("opset", [OPSETS[0], OPSETS[-1]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", TARGETS)
def test_the_search_is_its_best_estimator(target, dtype, opset):
    X = inputs(dtype)
    y = TARGETS[target](X)
    search = search_of(GreedyPrunedMLP(**SMALL)).fit(X, y)
    options = {"zipmap": False} if hasattr(search, "classes_") else None
    assert_same(search, X, run(search, X, options, opset))
    if options is not None:
        by_id = {id(search): options}
        np.testing.assert_array_equal(run(search, X, by_id, opset)[1], run(search, X, options, opset)[1])


@pytest.mark.parametrize("opset", [OPSETS[0], OPSETS[-1]])
def test_the_search_within_others(opset):
    X = inputs()
    y = TARGETS["classes"](X)
    network = GreedyPrunedMLPClassifier(**SMALL)
    chain = make_pipeline(StandardScaler(), GreedyForwardSelector(4), search_of(network)).fit(X, y)
    assert_same(chain, X, run(chain, X, {"zipmap": False}, opset))
    within = search_of(make_pipeline(StandardScaler(), network)).set_params(
        param="greedyprunedmlpclassifier__n_pretrain", k=None
    )
    assert_same(within.fit(X, y), X, run(within, X, {"zipmap": False}, opset))
    around = GridSearchCV(network, {"k": [3, 6]}, cv=2).fit(X, y)
    assert_same(around, X, run(around, X, {id(around): {"zipmap": False}}, opset))


def test_probabilities_of_the_search_by_name():
    X = inputs(np.float32)
    y = np.array(["a", "bb", "ccc"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    search = search_of(GreedyPrunedMLPClassifier(**SMALL)).fit(X, y)
    by_name = run(search, X)[1]
    expected = search.predict_proba(X)
    np.testing.assert_allclose([[row[name] for name in search.classes_] for row in by_name], expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_frame_has_an_input_for_each_column(dtype):
    pandas = pytest.importorskip("pandas")
    X = inputs(dtype)
    frame = pandas.DataFrame(X, columns=list("abcd"))
    feeds = {name: X[:, [i]] for i, name in enumerate("abcd")}
    model = GreedyPrunedMLPClassifier(**SMALL).fit(frame, TARGETS["classes"](X))
    expected = model.predict_proba(frame)
    found = run(model, frame, {"zipmap": False}, feeds=feeds)[1]
    np.testing.assert_allclose(found, expected, atol=1e-5 if dtype == np.float32 else 1e-12)
    selector = GreedyForwardSelector(k=4).fit(frame, X[:, 1] - X[:, 3])
    np.testing.assert_array_equal(run(selector, frame, feeds=feeds)[0], selector.transform(frame))


def test_whole_numbers_beside_others_become_floats():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(60), "b": inputs()[:, 0]})
    feeds = {"a": frame[["a"]].to_numpy(), "b": frame[["b"]].to_numpy()}
    model = GreedyPrunedMLPRegressor(**SMALL).fit(frame, frame["a"] + frame["b"])
    np.testing.assert_allclose(run(model, frame, feeds=feeds)[0][:, 0], model.predict(frame), rtol=1e-9)
    selector = GreedyForwardSelector(k=4).fit(frame, 0.1 * frame["a"] + frame["b"])
    np.testing.assert_array_equal(run(selector, frame, feeds=feeds)[0], selector.transform(frame))


@pytest.mark.parametrize("model", [GreedyForwardSelector(), search_of(GreedyPrunedMLPRegressor())])
def test_what_is_not_fitted_is_not_converted(model):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        run(model, inputs())


def test_a_search_without_its_best_estimator_is_not_converted():
    X = inputs()
    search = search_of(GreedyPrunedMLPRegressor(**SMALL)).set_params(refit=False).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="refit=False"):
        run(search, X)
