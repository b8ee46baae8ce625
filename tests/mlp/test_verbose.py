"""The table that a fit prints."""

import re

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs._compat import NoCallbacks
from sklearn_gfs.network import Report, Tasks

from .small import SMALL, blobs

HEAD = ["phase", "iteration", "training loss", "held-out loss", "seconds"]
# Where the columns end.
ENDS = [18, 40, 55, 70, 79]


def cells(line):
    return [line[start:end].strip() for start, end in zip([0, *ENDS], ENDS, strict=False)]


def table(out):
    """Return the rows of what was printed, as lists of cells, and the other lines."""
    lines = out.splitlines()
    assert all(len(line) <= 120 for line in lines)
    rows = [cells(line) for line in lines if re.search(r" \d+\.\d\d$", line)]
    others = [line for line in lines if not re.search(r" \d+\.\d\d$", line) and "Compiling" not in line]
    assert cells(others.pop(1)) == HEAD
    return rows, others


def of(rows, phase):
    return [row[1:] for row in rows if row[0] == phase]


def test_nothing_is_printed_unless_asked_for(capsys):
    X, y = blobs()
    GreedyPrunedMLPClassifier(**SMALL).fit(X, y)
    list(GreedyPrunedMLPClassifier(**SMALL, verbose=True).fit_path(X, y, n_pretrain=[1, 3]))
    assert capsys.readouterr().out == ""


def test_the_table_of_a_fit(capsys):
    X, y = blobs()
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": 50, "n_retrain": 300}, verbose=True).fit(X, y)
    rows, (first, chosen, last) = table(capsys.readouterr().out)
    assert first == "42 samples for training, 18 held out; 4 features, 40 neurons, 3 outputs; device 'cpu'"
    assert chosen == f"early_stopping chose {model.n_retrain_} iterations of re-training."
    pretraining = of(rows, "pre-training")
    assert [row[0] for row in pretraining] == ["20 of 50", "40 of 50", "50 of 50"]
    for row, (start, end) in zip(pretraining, [(0, 20), (20, 40), (40, 50)], strict=True):
        assert float(row[1]) == pytest.approx(np.mean(model.loss_curve_[start:end]), rel=1e-4)
        assert row[2] == ""
    ((progress, loss, held_out, _),) = of(rows, "selection")
    assert (progress, held_out) == ("8 picks", "")
    assert float(loss) == pytest.approx(model.selection_losses_[-1], rel=1e-4)
    trial = of(rows, "trial re-training")
    assert [row[0] for row in trial[:3]] == ["0 of 300", "40 of 300", "80 of 300"]
    assert [row[1] == "" for row in trial] == [True] + [False] * (len(trial) - 1)
    for row in trial:  # held-out samples are looked at every 20 iterations
        at = model.validation_iterations_.index(int(row[0].split()[0]))
        assert float(row[2]) == pytest.approx(model.validation_loss_curve_[at], rel=1e-4)
    assert of(rows, "re-training")[-1][0] == f"{model.n_retrain_} of {model.n_retrain_}"
    n_tried = model.validation_iterations_[-1]
    assert re.fullmatch(
        rf"Fitted in \d+\.\d\d s: {model.n_units_} neurons; updates: 50 of pre-training, "
        rf"{n_tried} of trial re-training, {model.n_retrain_} of re-training\.",
        last,
    )
    seconds = [float(row[-1]) for row in rows]
    assert seconds == sorted(seconds)


def test_what_auto_chose_is_printed(capsys):
    X, y = blobs(120)
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": "auto", "n_retrain": 20}, verbose=True).fit(X, y)
    rows, others = table(capsys.readouterr().out)
    assert others[1] == f'n_pretrain="auto" chose {model.n_pretrain_} iterations of pre-training.'
    trials, pretraining = of(rows, "trial selection"), of(rows, "pre-training")
    assert [row[0] for row in trials] == ["8 picks"] * len(trials)
    assert all(float(row[2]) > 0 for row in trials)
    assert pretraining[0][0] == "20 of at most 320"
    assert 2 <= len(trials) <= 3
    # Each subnetwork stands below the row of the iterations that it was selected after.
    before = [rows[i - 1][1] for i, row in enumerate(rows) if row[0] == "trial selection"]
    assert before == [f"{n} of at most 320" for n in (20, 80, 320)[: len(trials)]]
    # Nothing held out: the loss is that of training.
    GreedyPrunedMLPClassifier(
        **SMALL | {"n_pretrain": "auto", "n_retrain": 0, "early_stopping": False}, verbose=True
    ).fit(X, y)
    rows, others = table(capsys.readouterr().out)
    assert {row[2] for row in of(rows, "trial selection")} == {""}
    assert others[0].startswith("120 samples for training, 0 held out")
    assert others[-1].endswith(" of pre-training.")


def test_a_network_that_goes_on_counts_from_where_it_was(capsys):
    X, y = blobs()
    model = GreedyPrunedMLPRegressor(**SMALL, verbose=True, warm_start=True).fit(X, y)
    capsys.readouterr()
    model.set_params(n_pretrain=50, n_retrain=0).fit(X, y)
    rows, (*_, last) = table(capsys.readouterr().out)
    pretraining = of(rows, "pre-training")
    assert [row[0] for row in pretraining] == ["40 of 50", "50 of 50"]
    assert float(pretraining[0][1]) == pytest.approx(np.mean(model.loss_curve_[20:40]), rel=1e-4)
    assert last.endswith("updates: 30 of pre-training.")
    model.set_params(k=3).fit(X, y)
    assert capsys.readouterr().out.splitlines()[-1].endswith("updates: none.")


@pytest.mark.parametrize(("solver", "unit"), [("lm", 1), ("lbfgs", 5)])
def test_rows_are_as_near_as_the_looks_at_held_out_samples(solver, unit, capsys):
    X, y = blobs(200)
    model = GreedyPrunedMLPRegressor(**SMALL | {"n_retrain": 8 * unit}, retrain_solver=solver, verbose=True)
    model.fit(X, y + X[:, 0])
    rows, _ = table(capsys.readouterr().out)
    trial = [int(row[0].split()[0]) for row in of(rows, "trial re-training")]
    assert trial == model.validation_iterations_ == [unit * i for i in range(len(trial))]
    assert len(trial) > 2


def test_validation_data_are_counted_and_nothing_is_tried(capsys):
    X, y = blobs()
    GreedyPrunedMLPClassifier(**SMALL, verbose=True).fit(X, y, X_val=X[:7], y_val=y[:7])
    rows, (first, *_) = table(capsys.readouterr().out)
    assert first.startswith("60 samples for training, 7 held out")
    assert {row[0] for row in rows} == {"pre-training", "selection", "re-training"}
    assert of(rows, "re-training")[0][:2] == ["0 of 40", ""]


def test_what_was_done_before_time_was_over_is_printed(capsys):
    X, y = blobs()
    with pytest.warns(ConvergenceWarning, match="Raise max_time"):
        GreedyPrunedMLPClassifier(**SMALL, max_time=1e-9, verbose=True).fit(X, y)
    rows, (*_, last) = table(capsys.readouterr().out)
    assert of(rows, "selection")[0][0] == "8 picks"
    assert last.startswith("Fitted in ")


def test_a_long_phase_prints_a_row_for_every_500_updates(capsys):
    X, y = blobs(20)
    GreedyPrunedMLPClassifier(2, 1, n_hidden=3, n_retrain=6000, early_stopping=False, verbose=True).fit(X, y)
    rows, _ = table(capsys.readouterr().out)
    assert [row[0] for row in of(rows, "re-training")] == [f"{500 * i} of 6000" for i in range(1, 13)]


def test_the_row_that_waits_is_printed_when_a_phase_fails(capsys):
    def fail():
        with Tasks(NoCallbacks(), dict, Report(printed=True)).phase("pre-training", 40) as phase:
            phase.report.updates([3.0] * 7, 7)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert cells(capsys.readouterr().out.splitlines()[1])[:3] == ["pre-training", "7 of 40", "3"]
