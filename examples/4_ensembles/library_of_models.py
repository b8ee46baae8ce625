"""
An ensemble of a few of many models
===================================

After trying ten models, most users keep one and throw nine away. Ensemble selection keeps a few: it adds models one by
one, each time the one that helps the mean most. Models that no mean needs are not kept, and cost nothing afterwards.
"""

# %%
# The library: models of several kinds, good ones and bad ones. One of them knows its training samples by heart.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_gfs import GreedyEnsembleClassifier

library = [
    ("boosting", HistGradientBoostingClassifier(max_iter=50, random_state=0)),
    ("forest", RandomForestClassifier(random_state=0)),
    ("extra trees", ExtraTreesClassifier(random_state=0)),
    ("linear", make_pipeline(StandardScaler(), LogisticRegression())),
    ("discriminant", LinearDiscriminantAnalysis()),
    ("support vectors", make_pipeline(StandardScaler(), SVC())),
    ("bayes", GaussianNB()),
    ("30 neighbours", make_pipeline(StandardScaler(), KNeighborsClassifier(30))),
    ("1 neighbour", make_pipeline(StandardScaler(), KNeighborsClassifier(1))),
    ("tree", DecisionTreeClassifier(max_depth=5, random_state=0)),
]
X, y = make_classification(2000, 20, n_informative=8, n_classes=3, flip_y=0.1, class_sep=0.8, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
# Every model says what it makes of samples that it was not fitted on: five folds inside. Support vectors have no
# probabilities. What they have instead becomes some by a small logistic regression on the same samples.
ensemble = GreedyEnsembleClassifier(library, k=30).fit(X_train, y_train)
ensemble

# %%
# Few models have a weight, and only these have been fitted on all the training data.
for (name, _), weight in sorted(zip(library, ensemble.weights_, strict=True), key=lambda pair: -pair[1]):
    print(f"{name:16} {weight:.2f}")

# %%
# On new samples the ensemble is better than the best of its models.
alone = {name: model.fit(X_train, y_train) for name, model in library if hasattr(model, "predict_proba")}
losses = {name: log_loss(y_test, model.predict_proba(X_test)) for name, model in alone.items()}
losses["ensemble"] = log_loss(y_test, ensemble.predict_proba(X_test))
for name, loss in sorted(losses.items(), key=lambda pair: pair[1]):
    print(f"{name:16} {loss:.3f}")

# %%
# The loss falls fast with the first picks. The lower line is a certificate: no weights whatever have a smaller loss on
# these predictions. So there is nothing to gain by a better search.
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
picks = np.arange(1, len(ensemble.selection_losses_) + 1)
left.plot(picks, ensemble.selection_losses_, label="loss of the mean of the picks")
left.axhline(
    np.max(ensemble.selection_losses_ - ensemble.duality_gaps_), ls="--", c="grey", label="no weights are better"
)
left.set(xlabel="picks", ylabel="log loss on samples left out")
left.legend()
names = [name for name, _ in library]
order = np.argsort(ensemble.weights_)
right.barh([names[i] for i in order], ensemble.weights_[order])
right.set(xlabel="weight")
plt.show()
