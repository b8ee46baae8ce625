"""
The fitted attributes of an ensemble, and the predictions of its chosen models.

Nothing here fits or selects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin, is_classifier
from sklearn.utils import Bunch, assert_all_finite, get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_gfs._compat import VisualBlock
from sklearn_gfs._typing import Float64Array

from ._calibration import Calibration
from ._fitting import Model, answers
from ._outputs import Reading
from ._searching import Selection


class FittedEnsembleMixin(TransformerMixin):
    """The chosen models and their weights."""

    estimators: list[tuple[str, Any]]
    n_bags: int
    corrective: bool
    n_outputs_: int
    classes_: NDArray[Any]

    def _store(
        self,
        models: list[Model],
        fitted: list[Any],
        readings: list[Reading],
        calibration: Calibration | None,
        found: Selection,
        positions: NDArray[np.int64],
    ) -> None:
        """Set the fitted attributes; `positions` are the indices in `estimators` of the library's models."""
        for name in ("selection_scores_", "n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                delattr(self, name)
        self.estimators_ = fitted
        self.named_estimators_ = Bunch(**{model.name: one for model, one in zip(models, fitted, strict=True)})
        self.stack_method_ = [model.method for model in models]
        self._readings = readings
        self.calibrations_ = [reading.calibration for reading in readings]
        self.calibration_ = calibration
        self.weights_ = np.zeros(len(self.estimators))
        self.weights_[positions] = found.weights
        path = found.path
        self.selection_path_ = positions[path.picks]
        self.selection_losses_, self.duality_gaps_ = path.losses, path.gaps
        if path.scores is not None:
            self.selection_scores_ = path.scores
        self.n_picks_ = int(found.n_picks[0]) if self.n_bags == 1 else found.n_picks
        for name in ("n_features_in_", "feature_names_in_"):
            found_in = [getattr(one, name) for one in fitted if hasattr(one, name)]
            if found_in:
                setattr(self, name, found_in[0])

    def _answers(self, X: Any) -> list[Float64Array]:
        """Return the outputs of each chosen model, with a column for each class or target."""
        check_is_fitted(self)
        if isinstance(X, np.ndarray) and X.dtype.kind == "f" and not get_tags(self).input_tags.allow_nan:
            assert_all_finite(X, input_name="X")  # the chosen models may not check X
        classes = getattr(self, "classes_", None)
        found = []
        n_classes = 0 if classes is None else len(classes)
        for name, fitted, method, reading in zip(
            self.named_estimators_, self.estimators_, self.stack_method_, self._readings, strict=True
        ):
            found.append(reading(answers(Model(name, fitted, method, {}), fitted, X, classes), n_classes))
        return found

    def _mean(self, X: Any) -> Float64Array:
        """Return the weighted mean of the chosen models' outputs, calibrated."""
        mean = self._combine(self._answers(X), self.weights_[self.weights_ != 0])
        return mean if self.calibration_ is None else self.calibration_(mean)

    def _combine(self, outputs: Sequence[Float64Array], weights: Float64Array) -> Float64Array:
        """Return the weighted mean; with negative weights, means of probabilities are clipped and normalised again."""
        total = weights[0] * outputs[0]
        for weight, values in zip(weights[1:], outputs[1:], strict=True):
            total += weight * values
        if self.corrective and is_classifier(self):
            np.maximum(total, 0.0, out=total)
            sums = total.sum(axis=1, keepdims=True)
            total = np.divide(total, sums, out=np.full_like(total, 1.0 / total.shape[1]), where=sums > 0)
        return total

    def transform(self, X: Any) -> Float64Array:
        """
        Return the outputs of the chosen models, side by side, calibrated where ``calibrate=True``.

        Of two classes the probability of the second stands for both.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            A column for each chosen model, and in it for each class or target.

        See Also
        --------
        get_feature_names_out : Names of the columns.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklearn.tree import DecisionTreeRegressor
        >>> from sklearn_gfs import GreedyEnsembleRegressor
        >>> models = [("line", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
        >>> X, y = load_diabetes(return_X_y=True)
        >>> GreedyEnsembleRegressor(models).fit_transform(X, y).shape
        (442, 2)
        """
        first = 1 if len(getattr(self, "classes_", ())) == 2 else 0
        return np.hstack([values[:, first:] for values in self._answers(X)])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:  # noqa: ARG002
        """
        Name the columns of ``transform``.

        A name has the ensemble's class, the model, and, if there are several, the index of the class or target.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored.

        Returns
        -------
        ndarray of str objects
            The names.

        See Also
        --------
        transform : The outputs of the chosen models, side by side.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklearn_gfs import GreedyEnsembleRegressor
        >>> ensemble = GreedyEnsembleRegressor([("line", LinearRegression())])
        >>> ensemble.fit(*load_diabetes(return_X_y=True)).get_feature_names_out().tolist()
        ['greedyensembleregressor_line']
        """
        check_is_fitted(self)
        n_columns = len(self.classes_) if hasattr(self, "classes_") else self.n_outputs_
        n_columns = 1 if hasattr(self, "classes_") and n_columns == 2 else n_columns
        lead = type(self).__name__.lower()
        ends = [""] if n_columns == 1 else [str(i) for i in range(n_columns)]
        return np.asarray([f"{lead}_{name}{end}" for name in self.named_estimators_ for end in ends], dtype=object)

    def _sk_visual_block_(self) -> Any:
        """Return a diagram of the models side by side; of a fitted ensemble only the chosen models."""
        shown = getattr(self, "named_estimators_", None) or dict(self.estimators)
        return VisualBlock("parallel", list(shown.values()), names=list(shown), dash_wrapped=False)
