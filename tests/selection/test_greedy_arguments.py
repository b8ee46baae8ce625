"""Wrong arguments of `greedy_forward_selection` are named."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_gfs import greedy_forward_selection

GOOD = {"atoms": np.ones((4, 2)), "y": np.arange(4.0), "k": 3}


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"k": 0}, ValueError, "k=0 must be an integer of at least 1"),
        ({"k": 2.0}, TypeError, "k=2.0 must be an integer"),
        ({"k": True}, TypeError, "k=True must be an integer"),
        ({"tol": -1.0}, ValueError, "tol=-1.0 must be a finite number of at least 0"),
        ({"tol": "0"}, TypeError, "tol='0' must be"),
        ({"hull": "l2"}, ValueError, "hull='l2' is not known; it must be 'convex' or 'l1'"),
        ({"radius": 2.0}, ValueError, "radius=2.0 needs hull='l1'"),
        ({"hull": "l1", "radius": 0.0}, ValueError, "radius=0.0 must be a finite number above 0"),
        ({"hull": "l1", "radius": np.nan}, ValueError, "radius=nan must be"),
        ({"hull": "l1", "radius": "best"}, TypeError, "radius='best' must be"),
        ({"loss": "hinge"}, ValueError, "loss='hinge' is not known"),
        ({"atoms": np.ones(4)}, ValueError, r"atoms has shape \(4,\); it must be \(n_samples, n_atoms\) or"),
        ({"atoms": np.ones((0, 2)), "y": []}, ValueError, "atoms has shape .* at least one sample"),
        ({"atoms": np.ones((4, 2)) * 1j}, ValueError, "Complex data not supported"),
        ({"atoms": np.full((4, 2), np.nan)}, ValueError, "atoms .* contain NaN"),
        ({"atoms": np.full((4, 2), np.inf)}, ValueError, "atoms .* contain NaN"),
        ({"y": np.arange(3.0)}, ValueError, "y has 3 samples and atoms has 4"),
        ({"y": np.full(4, np.nan)}, ValueError, "y .* contains NaN"),
        ({"y": np.ones((4, 2))}, ValueError, "y has 2 outputs and the atoms have one"),
        ({"y": np.ones((4, 1, 1))}, ValueError, "y has shape"),
        ({"atoms": np.ones((4, 2, 3))}, ValueError, "atoms has 3 outputs and y has 1"),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight has shape"),
        ({"sample_weight": -np.ones(4)}, ValueError, "sample_weight must be finite and not negative, but holds -1"),
        ({"sample_weight": [1, np.nan, 1, 1]}, ValueError, "sample_weight must be .* but holds nan"),
        ({"sample_weight": [1, 1, 1, 10**400]}, ValueError, "sample_weight must be .* but holds an integer too large"),
        ({"from_logits": "no"}, TypeError, "from_logits='no' must be True or False, got str"),
        ({"sample_weight": np.zeros(4)}, ValueError, "zero everywhere"),
        ({"offset": [1.0, 2.0]}, ValueError, r"offset has shape \(2,\)"),
        ({"output_weights": np.ones((3, 1))}, ValueError, r"output_weights has shape \(3, 1\)"),
        ({"output_weights": np.full((2, 1), np.nan)}, ValueError, "NaN"),
        ({"atoms": np.ones((4, 2, 1)), "output_weights": np.ones((2, 1))}, ValueError, "atoms has shape"),
    ],
)
def test_bad_arguments_are_named(bad, error, message):
    with pytest.raises(error, match=message):
        greedy_forward_selection(**{**GOOD, **bad})
