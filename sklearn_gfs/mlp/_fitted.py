"""
The fitted attributes of an estimator, and predictions from them; NumPy only.

Training is in ``_path``, ``fit`` in ``_base``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs._plain import check_plain
from sklearn_gfs._threads import threads_for
from sklearn_gfs.network import hidden_activations

from ._export import ExportMixin
from ._targets import activation_name, decode, loss_name, out_activation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sklearn_gfs._typing import FloatArray
    from sklearn_gfs.network import FittedNetwork, Posterior

    from ._given import DenseState
    from ._retraining import Subnetwork


class FittedMLPMixin(ExportMixin):
    """The fitted half of the estimators: attributes, outputs, predictions."""

    # What predictions read; `_store_network` and `_store_subnetwork` write the other attributes.
    activation_: str
    loss: str
    n_hidden: int
    solver: str
    coefs_: list[FloatArray]
    intercepts_: list[FloatArray]
    _has_tails = False  # whether extreme continuous targets come with extreme features
    _posterior: Posterior  # only of a regressor, re-trained by Levenberg-Marquardt
    _dense_state: tuple[DenseState, dict[str, Any]]  # with the parameters that it fixes; only if kept

    def predict(self, X: Any) -> np.ndarray:
        """
        Predict classes or continuous values, whichever the estimator was fitted on.

        The subnetwork is evaluated in NumPy; torch is not needed.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted classes, or values in the units of the training targets; 0 and 1 for each label where `y` was
            multilabel.

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        ValueError
            When `X` is not as described, or has other features than the training data.

        See Also
        --------
        fit : Train the network.

        Examples
        --------
        >>> from sklearn_gfs import GreedyPrunedMLP
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
        >>> GreedyPrunedMLP(50, 5, n_hidden=20, random_state=0).fit(X, y).predict([[0.0], [3.0]]).tolist()
        ['low', 'high']
        """
        return decode(self, self._outputs(X))

    def _network_attributes(self, network: FittedNetwork, losses: list[float]) -> dict[str, Any]:
        """Return the fitted attributes of predictions and of pre-training, by name."""
        n_outputs = network.coefs[1].shape[1]
        return {
            "coefs_": network.coefs,
            "intercepts_": network.intercepts,
            "n_layers_": 3,
            "activation_": activation_name(self),
            "n_outputs_": n_outputs,
            "n_units_": network.coefs[0].shape[1],
            "out_activation_": out_activation(self, n_outputs),
            "loss_curve_": list(losses),
            "n_pretrain_": len(losses),
        }

    def _store_network(self, network: FittedNetwork, losses: list[float]) -> None:
        if not all(np.isfinite(array).all() for array in (*network.coefs, *network.intercepts)):
            raise ValueError(
                "The fitted weights are not finite in the units of the data: X or y holds values too large or too "
                "small for its dtype. Scale the data, or pass float64."
            )
        vars(self).update(self._network_attributes(network, losses))

    def _store_subnetwork(self, subnetwork: Subnetwork, dense_loss: float, losses: list[float]) -> None:
        self._store_network(subnetwork.fitted, losses)
        self.dense_loss_ = dense_loss
        self.selection_path_ = subnetwork.path.picks
        self.selection_counts_ = subnetwork.path.counts
        self.selection_losses_ = subnetwork.path.losses
        self.duality_gaps_ = subnetwork.path.gaps
        self.ridge_ = subnetwork.ridge
        self.n_retrain_ = len(subnetwork.retrain_losses)
        self.retrain_loss_curve_ = subnetwork.retrain_losses
        self.validation_loss_curve_ = list(subnetwork.validation_losses.values())
        self.validation_iterations_ = list(subnetwork.validation_losses)
        self.__dict__.pop("_posterior", None)  # it may belong to an earlier fit
        if subnetwork.posterior is not None:
            self._posterior = subnetwork.posterior

    def _inputs(self, X: Any) -> Any:
        """Validate the inputs of a prediction and return them."""
        check_is_fitted(self)
        check_plain(X=X)
        return validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)

    def _hook_prediction_on(self, X: Any) -> Callable[[Self], np.ndarray] | None:
        definer = next(base for base in type(self).__mro__ if "predict" in vars(base))
        if not definer.__module__.startswith(f"{__package__}."):
            return None  # a subclass, or a class mixed in, predicts in its own way
        checked = self._inputs(X)
        return lambda fitted: decode(fitted, fitted._outputs_of(checked))

    def _outputs(self, X: Any) -> FloatArray:
        """Return the outputs of the network before the output activation, of shape (n_samples, n_outputs)."""
        return self._outputs_of(self._inputs(X))

    def _outputs_of(self, X: Any) -> FloatArray:
        """Return the outputs for inputs that have been checked."""
        hidden = hidden_activations(X, self.coefs_[0], self.intercepts_[0], ACTIVATIONS[self.activation_])
        with threads_for(2.0 * hidden.shape[0] * self.coefs_[1].size):
            outputs: FloatArray = hidden @ self.coefs_[1]
        outputs += self.intercepts_[1]
        return outputs

    def _keep_dense_state(self, state: DenseState | None) -> None:
        """Keep the state that further training of the dense network needs; with None forget an earlier state."""
        self.__dict__.pop("_dense_state", None)
        if state is not None:
            self._dense_state = state, self._fixed_by_dense_state()

    def _fixed_by_dense_state(self) -> dict[str, Any]:
        """Return the parameters that further training of a dense network can't change, with "auto" resolved."""
        names = {"activation": activation_name(self), "loss": loss_name(self)}
        return {"n_hidden": self.n_hidden, "solver": self.solver} | names

    def _dense_state_to_go_on_with(self) -> DenseState | None:
        """Return the state that an earlier fit has kept, or None; raise an error if a fixed parameter has changed."""
        if not hasattr(self, "_dense_state"):
            return None
        state, fixed = self._dense_state
        asked = self._fixed_by_dense_state()
        for name, value in fixed.items():
            if asked[name] != value:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} differs from {value!r}, with which the dense network was trained "
                    f"so far. Set {name}={value!r}, or begin anew: fit with warm_start=False, or clone the estimator."
                )
        return state
