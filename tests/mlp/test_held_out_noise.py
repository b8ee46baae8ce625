"""What held-out losses decide: differences that are noise are small beside what has been learnt, and what is left."""

import numpy as np
import pytest

from mlp.small import SMALL, blobs
from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.mlp._prepared import Prepared
from sklearn_gfs.mlp._trial import noise_of
from sklearn_gfs.network._training import Training


@pytest.mark.parametrize(
    ("loss", "constant", "noise"), [(0.1, 2.0, 0.001), (2.4, 2.5, 0.001), (1.25, 2.5, 0.0125), (3.0, 2.5, 0.0)]
)
def test_noise_is_a_part_of_what_is_learnt_or_left(loss, constant, noise):
    assert noise_of(loss, constant) == pytest.approx(noise)


@pytest.mark.parametrize(
    ("first", "a_hundred", "n_done", "n_best"),
    [
        (2.48, 1e-4, 2000, 2000),  # 0.0005 in 500 updates is little beside 2.48, and much of the 0.02 that are learnt
        (1.24, 1e-4, 500, 500),  # beside half of the loss it is noise, and the last network is as good as any
        (2.48, -1e-4, 500, 200),  # so much of a rise is noise
        (1.24, -1e-4, 500, 500),
    ],
)
def test_a_trial_lasts_while_the_loss_falls_by_more_than_noise(monkeypatch, first, a_hundred, n_done, n_best):
    monkeypatch.setattr(Prepared, "constant_loss", 2.5)
    monkeypatch.setattr(Training, "loss", lambda training, _: first - a_hundred / 100 * len(training.losses))
    X, y = blobs()
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_retrain": 2000, "retrain_solver": "adam", "n_hidden": 40}).fit(X, y)
    assert model.validation_iterations_[-1] == n_done
    assert model.n_retrain_ == n_best
    assert np.isfinite(model.predict_proba(X)).all()
