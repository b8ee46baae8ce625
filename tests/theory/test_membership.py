"""Whether a hull holds the targets: against constructions of which it is known, every proof checked in fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from sklearn_gfs import theory
from sklearn_gfs.theory import _membership

sizes = {
    "n_samples": st.integers(1, 8),
    "n_atoms": st.integers(1, 8),
    "n_outputs": st.integers(1, 2),
    "seed": st.integers(0, 2**32 - 1),
    "scale": st.sampled_from([1e-6, 1.0, 1e6]),
}


def exactly(values):
    return np.array([Fraction(float(value)) for value in np.ravel(values)], dtype=object).reshape(np.shape(values))


def check(found, atoms, y, *, relaxed):
    """Check in fractions what proves the answer; atoms are (n_samples, n_atoms, n_outputs)."""
    assert found.least <= found.most + 1e-12 * abs(found.most)
    if found.inside:
        assert found.direction is None
        weights = exactly(found.weights)
        assert min(weights) >= 0
        assert abs(sum(weights) - 1) < Fraction(1, 10**12)
        point = np.array([sum(weights * row) for row in exactly(atoms).transpose(0, 2, 1).reshape(-1, len(weights))])
        targets = exactly(y).ravel()
        if relaxed:
            assert all(value * target > 0 for value, target in zip(point, targets, strict=True))
        else:
            unit = max(abs(atoms).max(), abs(y).max())
            assert sum(abs(point - targets)) / len(targets) <= Fraction(2e-9) * Fraction(unit)
    elif found.inside is False:
        assert found.weights is None
        direction = exactly(found.direction)
        assert direction.shape == y.shape
        along = [sum((direction * atom).ravel()) for atom in exactly(np.moveaxis(atoms, 1, 0))]
        if relaxed:
            assert all(share >= 0 for share in (direction * exactly(np.sign(y))).ravel())
            assert max(along) < 0
        else:
            assert max(along) < sum((direction * exactly(y)).ravel())


def make(n_samples, n_atoms, n_outputs, seed, scale):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(n_samples, n_atoms, n_outputs)), rng


@given(**sizes)
@example(n_samples=8, n_atoms=6, n_outputs=2, seed=247816, scale=1e-6)  # the interior point is not near enough
def test_a_point_of_the_hull_is_inside(**problem):
    atoms, rng = make(**problem)
    y = np.einsum("mno,n->mo", atoms, rng.dirichlet(np.full(problem["n_atoms"], 0.5)))
    found = theory.hull_membership(atoms, y)
    assert found.inside is True
    check(found, atoms, y, relaxed=False)


@given(**sizes, beyond=st.floats(1e-3, 10.0))
def test_a_point_beyond_all_atoms_is_outside(beyond, **problem):
    atoms, rng = make(**problem)
    direction = rng.normal(size=atoms.shape[::2])
    along = np.einsum("mno,mo->n", atoms, direction)
    y = atoms[:, along.argmax()] + problem["scale"] * beyond * direction / np.linalg.norm(direction)
    found = theory.hull_membership(atoms, y)
    assert found.inside is False
    assert found.least == pytest.approx(found.most, rel=1e-6)
    check(found, atoms, y, relaxed=False)


@pytest.mark.parametrize(("distance", "inside"), [(1e-13, False), (1e-10, False), (1e-16, True), (0.0, True)])
def test_a_proof_that_y_is_outside_goes_before_nearness(distance, inside):
    """Rounding alone limits how near a point may be that is told from the hull."""
    atoms = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 0.0]])
    y = atoms[:, 1] + [distance, 0.0, 0.0]
    found = theory.hull_membership(atoms, y)
    assert found.inside is inside
    assert inside == (found.least == 0)
    assert found.least <= distance / 3


@given(**sizes, relaxed=st.booleans())
def test_every_answer_is_proved(relaxed, **problem):
    atoms, rng = make(**problem)
    y = problem["scale"] * rng.normal(size=atoms.shape[::2])
    found = theory.hull_membership(atoms, y, relaxed=relaxed)
    assert found.inside is not None
    check(found, atoms, y, relaxed=relaxed)


@given(**sizes)
def test_signs_of_a_point_of_the_hull_are_right(**problem):
    atoms, rng = make(**problem)
    y = np.sign(np.einsum("mno,n->mo", atoms, rng.dirichlet(np.ones(problem["n_atoms"]))))
    assert theory.hull_membership(atoms, y, relaxed=True).inside is True


@given(**sizes)
def test_no_signs_where_every_margin_of_one_sample_is_negative(**problem):
    atoms, rng = make(**problem)
    y = np.where(rng.random(atoms.shape[::2]) < 0.5, -1.0, 1.0)
    atoms[0, :, 0] = -y[0, 0] * abs(atoms[0, :, 0])
    found = theory.hull_membership(atoms, y, relaxed=True)
    assert found.inside is False
    check(found, atoms, y, relaxed=True)


def test_what_floating_point_cannot_tell_stays_open():
    """The largest margin is exactly zero: no sample is on its right side by anything, nor are all that far."""
    found = theory.hull_membership([[1.0, -1.0], [-1.0, 1.0]], [1.0, 1.0], relaxed=True)
    assert found.inside is None
    assert found.weights is None
    assert found.direction is None
    assert -1e-12 < found.least <= 0 <= found.most < 1e-12


@pytest.mark.parametrize("relaxed", [False, True])
def test_a_solver_that_gives_up_leaves_it_open(relaxed, monkeypatch):
    def give_up(*args, **settings):
        return {"x": None, "ineqlin": {"marginals": None}, "eqlin": {"marginals": None}}

    class Answer(dict):
        x = None

    monkeypatch.setattr(_membership, "linprog", lambda *args, **settings: Answer(give_up()))
    found = theory.hull_membership(np.eye(2), [0.5, 0.5], relaxed)
    assert found[:3] == (None, None, None)
    assert found.most == np.inf


@pytest.mark.parametrize("relaxed", [False, True])
def test_a_solver_that_is_wrong_is_not_believed(relaxed, monkeypatch):
    """Weights that miss y, and a direction that does not separate, prove nothing."""
    solve = _membership.linprog

    def wrong(*args, **settings):
        answer = solve(*args, **settings)
        answer["x"] = np.ones_like(answer["x"])
        for name in ("ineqlin", "eqlin"):
            answer[name]["marginals"] = np.ones_like(answer[name]["marginals"])
        return answer

    monkeypatch.setattr(_membership, "linprog", wrong)
    atoms = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    assert theory.hull_membership(atoms, [0.3, 0.1], relaxed).inside is None


@pytest.mark.parametrize(("shift", "inside"), [(1e-7, None), (1e-10, True)])
def test_a_point_that_is_not_quite_y_proves_nothing(shift, inside, monkeypatch):
    solve = _membership.linprog

    def nearly(*args, **settings):
        answer = solve(*args, **settings)
        answer["x"] = np.array([0.5 + shift, 0.5 - shift, 0.0, 0.0, 0.0, 0.0])
        answer["eqlin"]["marginals"] = None
        return answer

    monkeypatch.setattr(_membership, "linprog", nearly)
    assert theory.hull_membership(np.eye(2), [0.5, 0.5]).inside is inside


@given(**sizes, relaxed=st.booleans())
def test_output_weights_make_the_atoms(relaxed, **problem):
    atoms, rng = make(**problem)
    activations, weights = atoms[:, :, 0], rng.normal(size=atoms.shape[1:])
    y = rng.normal(size=atoms.shape[::2])
    whole = theory.hull_membership(activations[:, :, np.newaxis] * weights, y, relaxed)
    found = theory.hull_membership(activations, y, relaxed, output_weights=weights)
    assert found.inside == whole.inside
    assert_allclose([found.least, found.most], [whole.least, whole.most], rtol=1e-6, atol=1e-9 * problem["scale"])


def test_a_column_of_targets_keeps_its_shape():
    for y in (np.array([3.0, 3.0]), np.array([[3.0], [3.0]])):
        assert theory.hull_membership(np.eye(2), y).direction.shape == y.shape


def test_a_target_of_zero_has_no_sign():
    with pytest.raises(ValueError, match="y must not be zero anywhere where relaxed=True"):
        theory.hull_membership(np.eye(2), [1.0, 0.0], relaxed=True)


def test_relaxed_is_true_or_false():
    with pytest.raises(TypeError, match="relaxed must be True or False, got 'no' of type str"):
        theory.hull_membership([[0.0, 2.0]], [1.0], relaxed="no")
    assert theory.hull_membership([[0.0, 2.0]], [1.0], relaxed=np.bool_(True)).inside is True
