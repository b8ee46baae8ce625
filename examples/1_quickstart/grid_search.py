"""
Grid search over pre-training
=============================

The estimators are ordinary scikit-learn estimators, so that ``GridSearchCV`` can search over the number of
pre-training iterations. ``PretrainThresholdSearch`` gives the same scores from one training run per fold.
"""

# %%
# Both searches on the same grid and folds. Networks are pruned and not re-trained: re-training makes up for missing
# pre-training, and both searches would do as much of it.
import time

import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLP, PretrainThresholdDisplay, PretrainThresholdSearch

X, y = load_wine(return_X_y=True)
model = make_pipeline(StandardScaler(), GreedyPrunedMLP(k=10, n_retrain=0, random_state=0))
folds = StratifiedKFold(5, shuffle=True, random_state=0)
n_pretrain = [0, 20, 50, 100, 200, 400]

start = time.perf_counter()
grid = GridSearchCV(model, {"greedyprunedmlp__n_pretrain": n_pretrain}, cv=folds).fit(X, y)
grid_seconds = time.perf_counter() - start
start = time.perf_counter()
search = PretrainThresholdSearch(model, n_pretrain=n_pretrain, cv=folds).fit(X, y)
search_seconds = time.perf_counter() - start

# %%
# The scores are the same, number for number.
for results in (grid.cv_results_, search.cv_results_):
    print(np.round(results["mean_test_score"], 4))
print("equal:", np.array_equal(grid.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]))
print(f"GridSearchCV took {grid_seconds / search_seconds:.1f} times as long")

# %%
# The two answer different questions: the best score, and the least pre-training that is good enough.
print("best:", grid.best_params_)
print("threshold:", search.threshold_)

# %%
# The picture has both: the line is the search's, the crosses are the grid search's scores.
display = PretrainThresholdDisplay.from_search(search)
display.ax_.plot(n_pretrain, grid.cv_results_["mean_test_score"], "kx", markersize=9, label="GridSearchCV", zorder=5)
display.ax_.legend()
