"""What a search prints as it goes."""

import pytest
from path_double import OnlyFit, PathClassifier
from sklearn.datasets import load_iris

from sklearn_gfs import PretrainThresholdSearch

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")


def test_verbose(capsys):
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0], cv=2)
    search.fit(*load_iris(return_X_y=True))
    assert capsys.readouterr().out == ""
    search.set_params(verbose=1).fit(*load_iris(return_X_y=True))
    lines = capsys.readouterr().out.splitlines()
    assert [line[: line.index(" (")] for line in lines] == [
        f"[PretrainThresholdSearch] {done} of 2 folds finished" for done in (1, 2)
    ]
    search.set_params(verbose=2, k=[2]).fit(*load_iris(return_X_y=True))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    score = search.cv_results_["split1_test_score"][0]
    assert lines[3].startswith("[PretrainThresholdSearch] fold 2 of 2: n_pretrain=0, dense, score=")
    assert lines[4].startswith(f"[PretrainThresholdSearch] fold 2 of 2: n_pretrain=0, k=2, score={score:.4f} (0.")


def test_verbose_names_what_failed(capsys):
    search = PretrainThresholdSearch(OnlyFit(), n_pretrain=[0, 5], k=[1], cv=2, verbose=2, scoring=["accuracy"])
    search.set_params(refit="accuracy").fit(*load_iris(return_X_y=True))
    assert ": n_pretrain=5, k=1, accuracy=0." in capsys.readouterr().out
    search.set_params(estimator=OnlyFit(k=0), k=None)
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        search.fit(*load_iris(return_X_y=True))
    assert "fold 1 of 2: n_pretrain=0, failed (0." in capsys.readouterr().out
