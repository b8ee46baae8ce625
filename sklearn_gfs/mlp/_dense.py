"""
A dense network and its data, in the standardised units of training, for the bounds in `theory`.

Nothing here trains, and nothing here computes a bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_gfs.network import measure_moments, refuse_tiny, scaling_of

if TYPE_CHECKING:
    from sklearn_gfs._typing import Float64Array


class DenseProblem(NamedTuple):
    """
    The network is intercept + the mean over neurons of activation(X @ hidden_coef + hidden_intercept) * output_coef.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Standardised; features that do not vary are left out.
    targets : ndarray of shape (n_samples, n_outputs)
        Continuous targets are standardised; indicators of classes have their mean subtracted.
    hidden_coef, hidden_intercept, output_coef, output_intercept : ndarray
        Parameters of the neurons; the network's outputs are a mean over neurons, not a sum.
    """

    X: Float64Array
    targets: Float64Array
    hidden_coef: Float64Array
    hidden_intercept: Float64Array
    output_coef: Float64Array
    output_intercept: Float64Array


def dense_problem(network: Any, X: Any, y: Any) -> DenseProblem:
    """Return the dense network that an estimator holds, with the data that it is trained on."""
    data = network._encode(X, y, None, (None, None, None), again=True)
    if data.weight is not None:
        raise ValueError(f"class_weight must be None, got {network.class_weight!r}: the theory is of equal weights.")
    moments = measure_moments(data.X, data.targets)
    refuse_tiny(moments, data.X.dtype)
    scaling = scaling_of(moments, center_targets=True, scale_targets=data.scale_targets)
    standardised = scaling.inputs.apply(data.X.astype(np.float64))
    varies, inverse_scale = moments.x_varies, scaling.inputs.inverse_scale
    (coef, out_coef), (intercept, out_intercept) = (
        [values.astype(np.float64) for values in part] for part in (network.coefs_, network.intercepts_)
    )
    if scaling.inputs.mean is not None:
        intercept = intercept + scaling.inputs.mean @ coef
    return DenseProblem(
        X=(standardised.toarray() if sparse.issparse(standardised) else standardised)[:, varies],
        targets=(data.targets - scaling.y_mean) / scaling.y_scale,
        hidden_coef=coef[varies] / inverse_scale[varies, np.newaxis],
        hidden_intercept=intercept,
        output_coef=out_coef / scaling.y_scale * coef.shape[1],
        output_intercept=(out_intercept - scaling.y_mean) / scaling.y_scale,
    )
