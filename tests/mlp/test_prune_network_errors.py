"""What `prune_network` refuses, and that it says what is allowed."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn.utils import prune

from sklearn_gfs import GreedyPrunedMLPClassifier, prune_network

from .test_prune_network_torch import sequential
from .trained import KINDS, inputs, trained_mlp

X = inputs()
MLP = trained_mlp(X, "multiclass", (12, 9))


@pytest.mark.parametrize(
    "network", [MLPClassifier(), MLPRegressor(), make_pipeline(StandardScaler().fit(X), MLPClassifier())]
)
def test_a_network_must_be_fitted(network):
    with pytest.raises(NotFittedError, match="not fitted"):
        prune_network(network, X)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (LogisticRegression(), "of the class LogisticRegression"),
        (3, "of the class int"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "a Pipeline that ends in LogisticRegression"),
        (Pipeline([("scale", StandardScaler()), ("out", "passthrough")]), "a Pipeline that ends in 'passthrough'"),
        (GreedyPrunedMLPClassifier(), "set its parameter k, or pass several k to fit_path"),
        (nn.Linear(3, 2), "class Linear; it must be an nn.Sequential"),
        (nn.ModuleList([nn.Linear(3, 2)]), "class ModuleList"),
    ],
)
def test_other_objects_are_no_networks(network, text):
    with pytest.raises(TypeError, match=text):
        prune_network(network, X)


def test_a_search_is_asked_for_its_best_network():
    search = GridSearchCV(MLPClassifier(), {})
    search.best_estimator_ = MLP
    with pytest.raises(TypeError, match="best_estimator_"):
        prune_network(search, X)


def test_a_sequential_that_calls_its_parts_otherwise_is_none():
    class Other(nn.Sequential):
        def forward(self, values):
            return values

    with pytest.raises(TypeError, match="class Other"):
        prune_network(Other(*sequential(4, 12, 2)), X)


def test_there_must_be_hidden_neurons():
    flat = MLPRegressor(hidden_layer_sizes=(), random_state=0).partial_fit(X, X[:, 0])
    with pytest.raises(ValueError, match="MLPRegressor has no hidden layer"):
        prune_network(flat, X)
    for network in (sequential(4, 2), nn.Sequential(), nn.Sequential(nn.ReLU())):
        with pytest.raises(ValueError, match=r"network has [01] linear layers; it must have two or more"):
            prune_network(network, X)


@pytest.mark.parametrize(
    ("unknown", "named"),
    [
        ({2: nn.BatchNorm2d(12)}, r"2 \(BatchNorm2d\)"),
        ({1: nn.RReLU(), 3: nn.InstanceNorm1d(12)}, r"1 \(RReLU\), 3 \(InstanceNorm1d\)"),
        ({2: nn.Softmax(1)}, r"2 \(Softmax\)"),
        ({2: nn.Flatten()}, r"2 \(Flatten\)"),
        ({2: nn.Sequential(nn.ReLU(), nn.LayerNorm(12))}, r"2\.1 \(LayerNorm\)"),
        ({0: nn.Conv2d(1, 1, 1)}, r"0 \(Conv2d\)"),
        ({0: nn.LazyLinear(12)}, r"0 \(LazyLinear\)"),
    ],
)
def test_modules_that_are_not_known_are_named(unknown, named):
    modules = dict(enumerate(sequential(4, 12, 12, 2))) | unknown
    with pytest.raises(ValueError, match=rf"in the wrong place: {named}\. Allowed are Linear, CELU"):
        prune_network(nn.Sequential(*modules.values()), X)


def test_modules_that_do_more_than_they_say_are_refused():
    network = sequential(4, 12, 12, 2)
    prune.l1_unstructured(network[2], "weight", 5)
    with pytest.raises(ValueError, match=r"network has forward hooks.* at 2; .*prune.remove"):
        prune_network(network, X)
    prune.remove(network[2], "weight")
    prune_network(network, X, k=5)
    network.append(nn.ReLU()).append(nn.Linear(2, 12)).append(network[2]).append(nn.Linear(12, 2)).double()
    with pytest.raises(ValueError, match="same weights in two places"):
        prune_network(network, X)
    with pytest.raises(ValueError, match="must share a device and a floating dtype"):
        prune_network(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2).double()), X)
    nn.utils.parametrizations.weight_norm((weighted := sequential(4, 12, 2))[0])
    with pytest.raises(ValueError, match=r"0 \(ParametrizedLinear\)"):
        prune_network(weighted, X)


def nested():
    return nn.Sequential(nn.Linear(4, 12), nn.Sequential(nn.ReLU()), nn.Linear(12, 2))


CHANGES = {
    "hook": lambda module: module.register_forward_hook(lambda *_: None),
    "hook before": lambda module: module.register_forward_pre_hook(lambda *_: None),
    "own forward": lambda module: setattr(module, "forward", lambda values: values),
}


@pytest.mark.parametrize("where", ["", "0", "1", "1.0"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_the_forward_of_any_module_is_refused(where, change):
    network = nested()
    change(network.get_submodule(where))
    with pytest.raises(ValueError, match=rf"network has forward hooks, or .* at {where or 'its outermost module'};"):
        prune_network(network, X, k=5)


def test_hooks_that_see_gradients_only_are_harmless():
    network = nested()
    for name in ("", "0", "1"):
        network.get_submodule(name).register_full_backward_hook(lambda *_: None)
    assert prune_network(network, X, k=5)[0].out_features == 5


class Reversed(nn.Sequential):
    def __iter__(self):
        return reversed(list(super().__iter__()))


class Called(nn.Sequential):
    def __call__(self, values):
        return super().__call__(values) + 1.0


class Named(nn.Sequential):
    """Nothing but a name."""


@pytest.mark.parametrize("cls", [Reversed, Called])
def test_a_sequential_that_does_something_else_is_none(cls):
    with pytest.raises(TypeError, match=f"of the class {cls.__name__}; it must be an nn.Sequential"):
        prune_network(cls(*nested()), X, k=5)
    with pytest.raises(ValueError, match=rf"1 \({cls.__name__}\)"):
        prune_network(nn.Sequential(nn.Linear(4, 12), cls(nn.ReLU()), nn.Linear(12, 2)), X, k=5)
    assert prune_network(Named(*nested()), X, k=5)[0].out_features == 5


@pytest.mark.parametrize("network", [MLP, sequential(4, 12, 9, 3)], ids=["sklearn", "torch"])
def test_inputs_must_fit(network):
    with pytest.raises(ValueError, match=r"3 features|but the first layer of network expects 4"):
        prune_network(network, X[:, :3], k=5)
    with pytest.raises(ValueError, match="NaN"):
        prune_network(network, np.full_like(X, np.nan), k=5)
    with pytest.raises(ValueError, match="minimum of 2"):
        prune_network(network, X[:1], k=5)
    with pytest.raises(ValueError, match="masked"):
        prune_network(network, np.ma.masked_less(X, 0), k=5)
    with pytest.raises(ValueError, match=r"sample_weight has shape \(3,\)"):
        prune_network(network, X, k=5, sample_weight=[1, 2, 3])


def test_tensors_must_fit():
    network, tensor = sequential(4, 12, 9, 3), torch.tensor(X)
    for wrong, text in [
        (tensor[:, :3], "X has shape .80, 3., but the first layer of network expects 4 features"),
        (tensor[:, :, None], "expects 4 features"),
        (tensor[:1], "two or more samples"),
        (tensor[0], "two or more samples"),
        (tensor / 0, "NaN or infinity"),
    ]:
        with pytest.raises(ValueError, match=text):
            prune_network(network, wrong, k=5)
    with pytest.raises(TypeError, match="sparse tensor"):
        prune_network(network, tensor.to_sparse(), k=5)


@pytest.mark.parametrize(
    ("k", "error", "text"),
    [
        (0, ValueError, "k=0 must be an integer of at least 1, or a share"),
        (-0.5, ValueError, "k=-0.5 must be"),
        (1.5, ValueError, "k=1.5 must be"),
        (float("nan"), ValueError, "k=nan must be"),
        (True, TypeError, "got bool"),
        ("5", TypeError, "got str"),
        (None, TypeError, "got NoneType"),
        ([5], ValueError, r"k=\[5\] must hold one number for each hidden layer.*has 2"),
        ([5, 0], ValueError, "k=0 must be"),
        ([5, [3]], TypeError, "got list"),
        (np.array(4), TypeError, r"k=array\(4\) must be .*got ndarray"),
    ],
)
def test_k_must_be_a_number_a_share_or_a_list(k, error, text):
    with pytest.raises(error, match=text):
        prune_network(MLP, X, k=k)


def test_more_than_there_are_is_a_warning_that_names_the_line():
    with pytest.warns(UserWarning, match=r"neurons of hidden layer [12], (12|9)\. The layer keeps all") as found:
        small = prune_network(MLP, X)
    assert len(found) == 2
    assert {warning.filename for warning in found} == {__file__}
    np.testing.assert_array_equal(small.predict_proba(X), MLP.predict_proba(X))
    with pytest.warns(UserWarning, match="k=10 is above the number of neurons of hidden layer 2, 9") as found:
        assert prune_network(make_pipeline(MLP), X, k=10)[-1].hidden_layer_sizes[0] == 10
    assert {warning.filename for warning in found} == {__file__}


@pytest.mark.parametrize("corrective", ["yes", None, 1])
def test_corrective_is_one_of_three(corrective):
    with pytest.raises(ValueError, match=r"corrective=.* must be True, False or 'auto'"):
        prune_network(MLP, X, k=5, corrective=corrective)


def test_targets_need_weights_that_are_solved_for():
    with pytest.raises(ValueError, match="with corrective=False it must be None"):
        prune_network(MLP, X, KINDS["multiclass"](X), k=5, corrective=False)


@pytest.mark.parametrize(
    ("network", "y", "text"),
    [
        (MLP, ["low", "new"] * 40, r"y holds classes that the network does not know: \['new'\]"),
        (MLP, ["low", "high"] * 20, "y has 40 samples and 3 outputs; X has 80 samples, and the network 3"),
        (MLP, np.zeros((80, 3)), "1d array"),
        (trained_mlp(X, "numbers"), X[:, 0], "y has 80 samples and 1 outputs"),
        (trained_mlp(X, "number"), np.full(80, np.nan), "y contains NaN"),
        (trained_mlp(X, "number"), np.ma.masked_less(X[:, 0], 0), "y holds masked values"),
        (trained_mlp(X, "multilabel"), np.zeros((80, 2), int), "outputs|labels|columns|features"),
        (sequential(4, 12, 9, 3), np.full(80, 3), "y must hold classes from 0 to 2"),
        (sequential(4, 12, 9, 3), X[:, :2], "y has 80 samples and 2 outputs"),
        (sequential(4, 12, 9, 1), np.full(80, 2), "y must hold zeros and ones"),
        (nn.Sequential(*sequential(4, 12, 9, 1), nn.Sigmoid()), X[:, 0], "y must hold zeros and ones"),
        (nn.Sequential(*sequential(4, 12, 9, 1), nn.Tanh()), X[:, 0], "y can't be used where network ends"),
        (nn.Sequential(*sequential(4, 12, 9, 1), nn.ReLU(), nn.Sigmoid()), X[:, 0], "y can't be used"),
    ],
)
def test_targets_must_fit(network, y, text):
    with pytest.raises(ValueError, match=text):
        prune_network(network, X, y, k=5)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_poisson_loss_has_no_negative_targets(n_outputs):
    pytest.importorskip("sklearn", "1.7")
    counts = np.abs(X[:, :n_outputs])
    network = MLPRegressor(hidden_layer_sizes=(12,), loss="poisson", random_state=0)
    network.partial_fit(X, counts if n_outputs > 1 else counts[:, 0])
    counts[3, -1] = -1e-3
    with pytest.raises(ValueError, match=r"y must not be negative, .*loss='poisson'"):
        prune_network(network, X, counts, k=5)
    counts[3, -1] = 0.0
    small = prune_network(network, X, counts, k=5)
    assert (small.predict(X) > 0).all()


@pytest.mark.parametrize("last", [nn.Softmax(0), nn.LogSoftmax(0), nn.Softmax(2), nn.LogSoftmax(-2)])
def test_a_softmax_is_over_the_outputs(last):
    network = nn.Sequential(*sequential(4, 12, 3), nn.Identity(), nn.Sequential(last))
    for y in (None, np.zeros(80, int)):
        with pytest.raises(ValueError, match=rf"4\.0 of network, {type(last).__name__}, has dim={last.dim}.*must be 1"):
            prune_network(network, X, y, k=5)


@pytest.mark.parametrize("dim", [1, -1, None])
@pytest.mark.parametrize("kind", [nn.Softmax, nn.LogSoftmax])
def test_the_outputs_of_a_sample_are_its_last_dimension(kind, dim):
    last, y = kind(dim), KINDS["multiclass"](X)
    y = np.searchsorted(np.unique(y), y)
    small, other = (prune_network(nn.Sequential(*sequential(4, 12, 3), end), X, y, k=5) for end in (last, kind(1)))
    torch.testing.assert_close(small[2].weight, other[2].weight)


def test_linear_layers_must_fit_each_other():
    network = nn.Sequential(nn.Linear(X.shape[1], 20), nn.ReLU(), nn.Linear(21, 2))
    with pytest.raises(ValueError, match=r"modules 0 and 2 of network do not fit: Linear gives 20.*takes 21"):
        prune_network(network, X, k=5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_must_be_finite(value):
    network = nn.Sequential(nn.Linear(X.shape[1], 20), nn.ReLU(), nn.Linear(20, 2))
    with torch.no_grad():
        network[0].weight[0, 0] = value
    mlp = deepcopy(MLP)
    mlp.intercepts_[1][0] = value
    for broken, layer in ((network, 1), (mlp, 2)):
        for k in (3, 500):
            with pytest.raises(ValueError, match=f"layer {layer} of network holds weights that are NaN or infinite"):
                prune_network(broken, X, k=k)
