"""
Fifty neurons instead of a thousand
===================================

A wide network is easy to train, a small one is cheap to use. Here a dense network of 1000 neurons is trained on
scikit-learn's digits, pruned to at most 50 neurons, and re-trained. Then the search measures how much training before
pruning was enough.
"""

# %%
# The data: 1797 images of 8 x 8 pixels.
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdDisplay, PretrainThresholdSearch

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)

# %%
# One fit: a scaler and the three steps. ``k`` counts picks, and a neuron may be picked more than once.
model = make_pipeline(StandardScaler(), GreedyPrunedMLPClassifier(n_pretrain=300, k=50, random_state=0))
model.fit(X_train, y_train)
network = model[-1]
print(f"subnetwork: {network.k} picks of {network.n_hidden} neurons, {network.n_units_} of them distinct")

# %%
# What each step does to the accuracy: ``fit_path`` yields the dense network, then the subnetwork; with
# ``n_retrain=0`` it is pruned only.
scaler = model[0]
only_pruned = GreedyPrunedMLPClassifier(n_retrain=0, random_state=0)
path = only_pruned.fit_path(scaler.transform(X_train), y_train, n_pretrain=[300], k=[50])
scores = [point.estimator.score(scaler.transform(X_test), y_test) for point in path]
for name, score in zip(("dense", "pruned", "re-trained"), [*scores, model.score(X_test, y_test)], strict=True):
    print(f"test accuracy, {name:<10} network: {score:.3f}")

# %%
# How much pre-training is enough? The search trains once per fold and prunes on the way, at every number of
# iterations and to every size asked for. It finds the least pre-training whose subnetwork, here before any
# re-training, is within 0.03 of the dense network at the end.
pruned_only = make_pipeline(StandardScaler(), GreedyPrunedMLPClassifier(n_retrain=0, random_state=0))
search = PretrainThresholdSearch(
    pruned_only, n_pretrain=[0, 10, 20, 40, 80, 160, 320, 640], k=[5, 10, 20, 35, 50, 100, 200], tol=0.03, cv=3
)
search.fit(X_train, y_train)
print(f"threshold before re-training, by k: {search.thresholds_}")

# %%
# Re-training makes up for missing pre-training, on these data for most or all of it.
retrained = PretrainThresholdSearch(model, n_pretrain=[0, 10, 20, 40, 80, 160, 320], k=[50], tol=0.03, cv=3)
retrained.fit(X_train, y_train)
print(f"threshold with re-training, by k: {retrained.thresholds_}")
print(f"test accuracy of the network fitted there: {retrained.score(X_test, y_test):.3f}")

# %%
# The same as a picture: the score over iterations and subnetwork size, with the threshold as a line.
display = PretrainThresholdDisplay.from_search(search)
