"""
A regression in a pipeline
==========================

The estimators take numbers as they come: here the disease progression of 442 patients, in a pipeline, judged by
cross-validation beside a ridge regression.
"""

# %%
# The target is in its own units; the regressor standardises it inside and undoes that at the end.
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPRegressor, LossCurveDisplay

X, y = load_diabetes(return_X_y=True, as_frame=False, scaled=False)
folds = KFold(5, shuffle=True, random_state=0)
models = {
    "pruned network": make_pipeline(StandardScaler(), GreedyPrunedMLPRegressor(random_state=0)),
    "ridge": make_pipeline(StandardScaler(), RidgeCV()),
}
for name, model in models.items():
    scores = cross_val_score(model, X, y, cv=folds)
    print(f"{name:<15} R2 {scores.mean():.3f}, standard deviation over folds {scores.std():.3f}")

# %%
# A fitted network is a pair of small NumPy matrices, those of the distinct neurons.
model = models["pruned network"].fit(X, y)
print("coefs_:", [coef.shape for coef in model[-1].coefs_])

# %%
# The selection's certificate: after the last pick the loss is at most this far above that of the best convex
# combination of the dense network's neurons.
print(f"loss after pruning {model[-1].selection_losses_[-1]:.4f}, gap {model[-1].duality_gaps_[-1]:.4f}")

# %%
# The fit as a picture. The data are few and noisy: the held-out loss is soon at its least, and the final network is
# re-trained for as many updates as that took.
display = LossCurveDisplay.from_estimator(model)
