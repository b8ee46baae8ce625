"""Extreme eigenvalues of every spectrum: how they are found, how many products that takes, and when it is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import qr
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, aslinearoperator

from sklearn_gfs import theory
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.theory import _kernel

SPECTRA = {
    "inverse squares": lambda i: 1 / i**2,
    "inverse roots": lambda i: i**-0.5,
    "exponential": lambda i: np.exp(-i / 2),
    "even": lambda i: 1 + i / i.max(),
    "one value": np.ones_like,
    "half zero": lambda i: (i <= i.max() / 2).astype(float),
    "all zero": np.zeros_like,
    "one of all": lambda i: (i == 1).astype(float),
}
# Lanczos iterations do not find the lower end of these.
CROWDED = {"inverse squares", "exponential"}


def matrix_of(spectrum, n, seed=0):
    rng = np.random.default_rng(seed)
    values = SPECTRA[spectrum](np.arange(1, n + 1.0))
    basis = qr(rng.standard_normal((n, n)))[0]
    matrix = (basis * values) @ basis.T
    return (matrix + matrix.T) / 2, values


class Counted(LinearOperator):
    """An operator that counts its products."""

    def __init__(self, matrix):
        super().__init__(np.float64, matrix.shape)
        self.matrix = matrix
        self.products = 0

    def _matmat(self, V):
        self.products += V.shape[1]
        return self.matrix @ V


@pytest.mark.parametrize("limits", ["all formed", "Lanczos, then formed"])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_every_spectrum_has_an_answer(spectrum, scale, limits, monkeypatch):
    if limits != "all formed":
        monkeypatch.setattr(_kernel, "_FORMED_ROWS", 10)
    matrix, values = matrix_of(spectrum, 150)
    for kernel in (scale * matrix, aslinearoperator(scale * matrix)):
        smallest, largest = theory.extreme_eigenvalues(kernel)
        assert_allclose(largest / scale, values.max(), rtol=1e-6, atol=1e-300)
        assert_allclose(smallest / scale, values.min(), rtol=1e-5, atol=1e-13)
        assert smallest >= 0


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_products_are_at_most_those_of_forming_and_a_limited_search(spectrum, monkeypatch):
    monkeypatch.setattr(_kernel, "_FORMED_ROWS", 10)
    monkeypatch.setattr(_kernel, "_LANCZOS_RESTARTS", 4)
    kernel = Counted(matrix_of(spectrum, 200)[0])
    theory.extreme_eigenvalues(kernel)
    assert kernel.products <= 200 + 2 * 5 * _kernel._LANCZOS_VECTORS


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_a_matrix_too_large_to_form_has_an_answer_or_a_clear_error(spectrum, monkeypatch):
    monkeypatch.setattr(_kernel, "_FORMED_ROWS", 10)
    monkeypatch.setattr(_kernel, "_DECOMPOSED_ROWS", 100)
    matrix, values = matrix_of(spectrum, 400)
    kernel = Counted(matrix)
    if spectrum in CROWDED:
        with pytest.raises(ArpackNoConvergence, match="eigenvalues of an operator of 400 rows did not converge"):
            theory.extreme_eigenvalues(kernel)
    else:
        found = theory.extreme_eigenvalues(kernel)
        assert_allclose(found, [values.min(), values.max()], rtol=1e-5, atol=1e-9)
    assert kernel.products <= 2 * 51 * _kernel._LANCZOS_VECTORS


def network(n_samples, n_features, n_outputs, seed):
    rng = np.random.default_rng(seed)
    n_hidden = 30
    return (
        rng.normal(size=(n_samples, n_features)),
        rng.normal(size=(n_features, n_hidden)),
        rng.normal(size=n_hidden),
        rng.normal(size=(n_hidden, n_outputs)),
    )


@given(
    n_samples=st.integers(1, 12),
    n_features=st.integers(1, 15),
    n_outputs=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    trained=st.sampled_from(["all", "output"]),
)
def test_the_formed_kernel_equals_its_products(n_samples, n_features, n_outputs, seed, activation, trained):
    parts = network(n_samples, n_features, n_outputs, seed)
    kernel = theory.network_kernel(*parts, activation=activation, trained=trained, neuron_rate=3.0)
    products = np.column_stack([kernel.matvec(unit) for unit in np.eye(n_samples * n_outputs)])
    assert_allclose(kernel.toarray(), products, rtol=1e-10, atol=1e-12)


def test_a_networks_kernel_is_formed_without_products(monkeypatch):
    kernel = theory.network_kernel(*network(40, 5, 2, 0))

    def refuse(*_):
        raise AssertionError("a product with a vector")

    monkeypatch.setattr(type(kernel), "_matvec", refuse)
    theory.extreme_eigenvalues(kernel)


def test_what_is_not_finite_is_named():
    broken = Counted(np.diag([1.0, np.nan]))
    with pytest.raises(ValueError, match=r"kernel must be .*finite"):
        theory.extreme_eigenvalues(broken)
    with pytest.raises(TypeError, match=r"kernel must be .*real"):
        theory.extreme_eigenvalues(aslinearoperator(np.eye(2) * 1j))
