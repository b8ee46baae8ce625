"""
The threshold and the number of samples
=======================================

How much pre-training is enough depends on the number of samples. One call measures the threshold for several numbers
and fits two laws to it.
"""

# %%
# The digits, networks of 200 neurons pruned with 60 picks, no re-training. Every run is scored at each number of
# pre-training iterations. Its threshold is the least number whose subnetwork has 90 % of the training samples right.
from sklearn.datasets import load_digits

from sklearn_gfs import GreedyPrunedMLPClassifier, ThresholdScalingDisplay, pretrain_threshold_curve

X, y = load_digits(return_X_y=True)
network = GreedyPrunedMLPClassifier(
    n_hidden=200, n_retrain=0, loss="squared_error", early_stopping=False, solver="sgd", random_state=0
)
curve = pretrain_threshold_curve(
    network,
    X,
    y,
    train_sizes=[100, 200, 400, 800],
    n_repeats=3,
    n_pretrain=[10, 20, 40, 60, 80, 120, 160, 240, 320],
    k=[60],
    target=0.9,
    tol=0.0,
    interpolate=True,
    random_state=0,
)
for size, thresholds in zip(curve.train_sizes, curve.thresholds, strict=True):
    print(f"{size:4} samples: thresholds {', '.join(f'{threshold:.0f}' for threshold in thresholds)}")

# %%
# Theory suggests a + b ln(n_samples) at a fixed rate of training. The fits have confidence intervals.
for fit in (curve.log_fit, curve.power_fit):
    print(f"{fit.law}: coefficients {fit.coef.round(2).tolist()}, R2 {fit.r2:.2f}")
display = ThresholdScalingDisplay.from_curve(curve)
