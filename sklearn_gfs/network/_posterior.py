"""
The posterior of a network's weights given the data, and standard deviations of predictions from it; NumPy only.

The posterior is Gaussian: the Laplace approximation around the trained weights, with the Gauss-Newton matrix. The
network is linearised around these weights, so that the variance of an output is a quadratic form of its derivatives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_gfs._chunks import row_chunks

from ._jacobian import JacobianRows
from ._objective import Shape
from ._standardisation import Standardisation

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation
    from sklearn_gfs._typing import Float64Array, FloatArray, IntArray

    from ._curvature import Curvature, Inverse
    from ._evidence import Prior
    from ._scaling import FittedNetwork, Scaling


class Posterior(NamedTuple):
    """
    A Gaussian over the weights of a network in standardised units.

    Parameters
    ----------
    inverse : Inverse
        The covariance of the weights, over `unit`.
    unit : ndarray of shape (n_outputs,)
        Factor of the covariance for each output.
    noise_variance : ndarray of shape (n_outputs,)
        Variance of the noise of standardised targets.
    inputs : Standardisation
    y_scale : ndarray of shape (n_outputs,)
        Zero for a constant target, which has no deviation.
    features : ndarray of int, default=None
        Indices of the features that the network was trained on; None for all.
    """

    inverse: Inverse
    unit: Float64Array
    noise_variance: Float64Array
    inputs: Standardisation
    y_scale: FloatArray
    features: IntArray | None = None

    def deviations(self, X: Any, network: FittedNetwork, activation: Activation) -> Float64Array:
        """Return the standard deviations of the targets at these inputs, in the units of the data."""
        (coef, out_coef), (intercept, _) = network.coefs, network.intercepts
        known = slice(None) if self.features is None else self.features
        coef = coef[known]
        shape = Shape(coef.shape[0], coef.shape[1], out_coef.shape[1])
        forms = self.inverse.forms()
        varies = self.y_scale != 0
        of_outputs = np.divide(out_coef, self.y_scale, out=np.zeros(out_coef.shape), where=varies, dtype=np.float64)
        found = np.empty((X.shape[0], shape.n_outputs))
        for chunk in row_chunks(len(found), 8 * shape.n_parameters):
            part = X[chunk][:, known].toarray() if sparse.issparse(X) else np.array(X[chunk][:, known])
            hidden = np.asarray(part @ coef + intercept, dtype=np.float64)
            slope = activation.slope(hidden)
            activation.apply(hidden)
            inputs = self.inputs.apply(part.astype(np.float64))
            for k, of_output in enumerate(of_outputs.T):
                factors = np.zeros((len(part), shape.n_outputs))
                factors[:, k] = 1
                rows = JacobianRows(slope * of_output, inputs, hidden, factors)
                found[chunk, k] = np.sqrt(self.unit[k] * forms(rows) + self.noise_variance[k])
        return np.asarray(found * self.y_scale)


def posterior_of(
    curvature: Curvature, prior: Prior, errors: Float64Array, n_samples: float, scaling: Scaling
) -> Posterior | None:
    """
    Return the posterior of weights, given the curvature of the mean loss at them; None if the curvature is zero.

    The prior has one noise variance for all outputs. Each output gets a noise variance in proportion to its error.
    """
    inverse = curvature.inverse(prior.penalty)
    if inverse is None:
        return None
    mean = float(errors.mean())
    noise_variance = (errors / mean if mean > 0 else np.ones(len(errors))) / prior.noise_precision
    known = None if scaling.features is None else scaling.features[0]
    return Posterior(inverse, noise_variance / n_samples, noise_variance, scaling.inputs, scaling.output_scale, known)
