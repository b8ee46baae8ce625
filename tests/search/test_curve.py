"""pretrain_threshold_curve: thresholds against the number of samples, and the laws fitted to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from path_double import OnlyFit, PathClassifier, PathRegressor
from sklearn.datasets import load_diabetes, load_iris

from sklearn_gfs import PretrainThresholdSearch, ScalingFit, pretrain_threshold_curve
from sklearn_gfs.search._curve import _order, _sizes
from sklearn_gfs.search._laws import fit_law

N = np.array([100, 200, 400, 800, 1600])


class LogRegressor(PathRegressor):
    """Reaches its best score at 10 ln(n_samples) iterations, rounded up."""

    def score(self, X, _):
        return float(self.n_pretrain >= 10 * np.log(len(X)))


def test_thresholds_and_laws():
    X = np.random.default_rng(0).normal(size=(1600, 2))
    curve = pretrain_threshold_curve(
        LogRegressor(), X, X[:, 0], train_sizes=N, n_repeats=2, n_pretrain=range(100), target="best", tol=0
    )
    expected = np.ceil(10 * np.log(N))
    np.testing.assert_array_equal(curve.train_sizes, N)
    np.testing.assert_array_equal(curve.thresholds, np.column_stack([expected, expected]))
    np.testing.assert_array_equal(curve.target_scores, 1.0)
    assert curve.log_fit.coef[1] == pytest.approx(10, rel=0.05)
    assert curve.log_fit.r2 > 0.995
    assert curve.log_fit.r2 > curve.power_fit.r2
    assert curve.log_fit.n_thresholds == 10


def test_agrees_with_the_search_on_the_same_part():
    X, y = load_iris(return_X_y=True)
    settings = {"n_pretrain": [0, 1, 2, 4, 8, 16], "tol": 0.02}
    curve = pretrain_threshold_curve(
        PathClassifier(random_state=0),
        X,
        y,
        train_sizes=[60, 112],
        n_repeats=3,
        score_on="test",
        random_state=5,
        **settings,
    )
    rng = np.random.RandomState(5)
    for repeat in range(3):
        order = _order(y, rng, stratify=True)
        for row, size in enumerate([60, 112]):
            search = PretrainThresholdSearch(
                PathClassifier(random_state=repeat), cv=[(order[:size], order[112:])], **settings
            ).fit(X, y)
            assert curve.thresholds[row, repeat] == search.threshold_
            assert curve.target_scores[row, repeat] == search.target_score_


def test_repeatable_and_parallel():
    X, y = load_iris(return_X_y=True)
    settings = {"n_repeats": 2, "n_pretrain": [0, 4, 30], "target": "best", "random_state": 3}
    one, other = (pretrain_threshold_curve(PathClassifier(), X, y, n_jobs=n, **settings) for n in (None, 2))
    np.testing.assert_array_equal(one.thresholds, other.thresholds)
    assert one.train_sizes.tolist() == [15, 27, 48, 84, 150]


def test_automatic_grid_and_other_estimators():
    X, y = load_diabetes(return_X_y=True)
    settings = {"train_sizes": [0.5, 1.0], "n_repeats": 1, "target": "best", "tol": 0.05}
    assert np.isfinite(pretrain_threshold_curve(PathRegressor(), X, y, **settings).thresholds).all()
    X, y = load_iris(return_X_y=True)
    other = pretrain_threshold_curve(OnlyFit(), X, y, **settings, scoring="neg_log_loss")
    assert other.thresholds.min() >= 16


def test_runs_without_a_threshold():
    X, y = load_iris(return_X_y=True)
    with pytest.warns(UserWarning, match="4 of 4 runs reached the target at no n_pretrain"):
        curve = pretrain_threshold_curve(
            PathClassifier(), X, y, train_sizes=[50, 100], n_repeats=2, n_pretrain=[0, 5], target=2.0
        )
    assert np.isnan(curve.thresholds).all()
    assert np.isnan(curve.log_fit.coef).all()


def test_every_beginning_of_the_order_is_stratified():
    y = np.repeat(["a", "b", "c"], [100, 50, 10])
    order = _order(y, np.random.RandomState(0), stratify=True)
    assert sorted(order) == list(range(160))
    for size in (16, 32, 80, 128):
        for label, share in [("a", 100 / 160), ("b", 50 / 160), ("c", 10 / 160)]:
            assert abs((y[order[:size]] == label).sum() - share * size) <= 2
    assert not np.array_equal(order, _order(y, np.random.RandomState(1), stratify=True))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"train_sizes": []}, "train_sizes must be a sequence of positive numbers"),
        ({"train_sizes": [0]}, "train_sizes must be a sequence of positive numbers"),
        ({"train_sizes": ["all"]}, "train_sizes must be a sequence of positive numbers"),
        ({"train_sizes": [1.2]}, "train_sizes must not go beyond 1 as a share, got 1.2"),
        ({"train_sizes": [151]}, "train_sizes must not go beyond 150, the number of samples for training, got 151"),
        ({"train_sizes": [113], "score_on": "test"}, "must not go beyond 112"),
        ({"n_repeats": 0}, "n_repeats must be an integer not below 1"),
        ({"tol": "1se"}, "tol must be a number or a percentage here"),
        ({"test_size": 1.5, "score_on": "test"}, "test_size must be a share between 0 and 1"),
        ({"target": "least"}, "target must be"),
        ({"n_pretrain": [-1]}, "n_pretrain must be"),
        ({"param": "nothing"}, "param must name"),
    ],
)
def test_parameters_that_are_not_allowed(params, message):
    with pytest.raises(ValueError, match=message):
        pretrain_threshold_curve(PathClassifier(), *load_iris(return_X_y=True), **params)


@given(a=st.floats(-50, 50), b=st.floats(1, 50))
def test_the_logarithmic_law_is_recovered(a, b):
    fit = fit_law("log", N, a + b * np.log(N))
    np.testing.assert_allclose(fit.coef, [a, b], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(fit.predict(N), a + b * np.log(N), rtol=1e-6)
    assert fit.r2 == pytest.approx(1)


@given(c=st.floats(0.5, 20), p=st.floats(0.1, 1.5))
def test_the_power_law_is_recovered(c, p):
    fit = fit_law("power", N, c * N**p)
    np.testing.assert_allclose(fit.coef, [c, p], rtol=1e-5)
    assert fit.r2 == pytest.approx(1)


def test_intervals_are_those_of_a_regression():
    from scipy.stats import linregress, t

    x, y = np.repeat(N, 3), np.repeat(10 * np.log(N), 3) + np.random.default_rng(0).normal(size=15)
    fit, known = fit_law("log", x, y), linregress(np.log(x), y)
    reach = t.ppf(0.975, 13) * np.array([known.intercept_stderr, known.stderr])
    np.testing.assert_allclose(fit.coef, [known.intercept, known.slope], rtol=1e-5)
    np.testing.assert_allclose(fit.high - fit.coef, reach, rtol=1e-4)
    np.testing.assert_allclose(fit.coef - fit.low, reach, rtol=1e-4)
    assert fit.r2 == pytest.approx(known.rvalue**2)


@pytest.mark.parametrize("law", ["log", "power"])
def test_intervals_cover_the_truth(law):
    # 95 % intervals of 300 fits to noisy thresholds: between 91 and 98.5 % of them hold the slope.
    rng = np.random.default_rng(0)
    truth = np.array([5.0, 12.0]) if law == "log" else np.array([4.0, 0.3])
    x = np.repeat(N, 4)
    clean = truth[0] + truth[1] * np.log(x) if law == "log" else truth[0] * x ** truth[1]
    covered = []
    for _ in range(300):
        fit = fit_law(law, x, clean + rng.normal(size=len(x)))
        covered.append(fit.low[1] <= truth[1] <= fit.high[1])
        low, high = fit.band(N)
        assert (low < fit.predict(N)).all()
        assert (fit.predict(N) < high).all()
    assert 0.91 < np.mean(covered) < 0.985


def test_thresholds_that_determine_nothing():
    same_size = fit_law("log", np.array([100, 100]), np.array([3.0, 4.0]))
    all_zero = fit_law("power", N, np.zeros(5))
    for fit in (same_size, all_zero):
        assert np.isnan(fit.coef).all()
        assert np.isnan(fit.r2)
    two = fit_law("log", np.array([100, 200]), np.array([3.0, 4.0]))
    assert np.isinf(two.high).all()
    flat = fit_law("power", N, np.full(5, 16.0))
    np.testing.assert_allclose(flat.coef, [16, 0], atol=1e-6)
    some_zero = fit_law("power", N, np.array([0.0, 0, 16, 23, 32]))
    assert some_zero.coef[1] > 0


def test_a_tolerance_in_percent():
    def scoring(estimator, X, y):
        return -100.0 - 10.0 * (estimator.n_pretrain < 20) - 50.0 * (estimator.n_pretrain < 5)

    settings = {"train_sizes": [50, 100], "n_repeats": 1, "n_pretrain": [0, 5, 20], "scoring": scoring}
    for tol, expected in [("10%", 5), ("9.9%", 20), ("60%", 0)]:
        curve = pretrain_threshold_curve(PathClassifier(), *load_iris(return_X_y=True), **settings, tol=tol)
        assert (curve.thresholds == expected).all()


@pytest.mark.parametrize("law", ["log", "power"])
def test_the_band_is_that_of_the_coefficients_spread(law):
    """Drawn coefficients, with the covariance that the fit reports, scatter about the law as the band says."""
    rng = np.random.default_rng(0)
    x = np.repeat(N, 40)
    clean = 5 + 12 * np.log(x) if law == "log" else 4 * x**0.4
    fit = fit_law(law, x, clean + rng.normal(size=len(x)))
    sizes = np.array([50.0, 300.0, 5000.0])
    drawn = rng.multivariate_normal(fit.coef, fit.covariance, size=40_000)
    values = np.array([fit._replace(coef=coef).predict(sizes) for coef in drawn])
    low, high = fit.band(sizes)
    np.testing.assert_allclose((low + high) / 2, fit.predict(sizes))
    np.testing.assert_allclose(high - low, 2 * 1.972 * values.std(axis=0), rtol=0.03)


def test_the_largest_parts_come_first():
    seen = []

    class Seen(LogRegressor):
        def fit_path(self, X, y, **kwargs):
            seen.append(len(X))
            return super().fit_path(X, y, **kwargs)

    X = np.random.default_rng(0).normal(size=(100, 2))
    settings = {"train_sizes": [20, 100, 50], "n_repeats": 2, "n_pretrain": [0, 99], "target": "best", "tol": 0}
    pretrain_threshold_curve(Seen(), X, X[:, 0], **settings)
    assert seen == [100, 100, 50, 50, 20, 20]


@pytest.mark.parametrize(
    ("train_sizes", "expected"),
    [
        ([0.518, 0.34], [51, 78]),
        ([1e-3], [1]),
        ([1.0], [150]),
        ([150, 3, 3], [3, 150]),
        ((0.5, 0.5001), [75]),
        (np.array([10], dtype=np.uint8), [10]),
    ],
)
def test_sizes_are_rounded_sorted_and_distinct(train_sizes, expected):
    assert _sizes(train_sizes, 150) == expected


@pytest.mark.parametrize("estimator", [PathRegressor(), PathClassifier()])
def test_classifiers_alone_are_stratified(estimator):
    """Twelve labels, three samples each: a third of an order that is stratified has nearly all of them."""
    y = np.repeat(np.arange(12.0), 3)
    X = np.column_stack([y, np.ones(36)])
    seen = []

    def scoring(estimator, X, y):
        seen.append(len(np.unique(y)))
        return 0.5

    settings = {
        "train_sizes": [12],
        "n_repeats": 20,
        "n_pretrain": [0],
        "random_state": 0,
        "tol": 1,
        "scoring": scoring,
    }
    pretrain_threshold_curve(estimator, X, y, **settings)
    assert (np.mean(seen) > 10) == (type(estimator) is PathClassifier)


def test_a_column_of_labels_is_stratified_like_a_vector():
    y = np.repeat(["a", "b", "c"], [100, 50, 10])
    one, other = (_order(labels, np.random.RandomState(0), stratify=True) for labels in (y, y[:, None]))
    np.testing.assert_array_equal(one, other)


def test_orders_are_random_among_classes():
    # Of two classes of equal size each pair of positions has one of both; which comes first is a matter of chance.
    y = np.repeat([0, 1], 200)
    labels = y[_order(y, np.random.RandomState(0), stratify=True)].reshape(-1, 2)
    assert (labels.sum(axis=1) == 1).all()
    assert 0.35 < (labels[:, 0] == 0).mean() < 0.65


def test_a_law_without_variance_has_no_r2():
    assert np.isnan(fit_law("log", N, np.full(5, 16.0)).r2)
    assert fit_law("log", N, np.array([np.nan, 20.0, np.nan, 30.0, 40.0])).n_thresholds == 3
    assert np.isnan(fit_law("log", np.array([100, 100, 100]), np.array([3.0, 4.0, 5.0])).coef).all()


def test_scores_of_every_run_point_and_size():
    X, y = load_iris(return_X_y=True)
    n_pretrain, k, sizes = [0, 2, 8], [2, 6], [60, 112]
    settings = {"n_pretrain": n_pretrain, "k": k, "score_on": "test", "target": "best"}
    curve = pretrain_threshold_curve(
        PathClassifier(random_state=4), X, y, train_sizes=sizes, n_repeats=2, random_state=5, **settings
    )
    assert curve.n_pretrain.tolist() == n_pretrain
    assert curve.k.tolist() == k
    assert curve.scores.shape == (2, 2, 3, 2)
    assert curve.dense_scores.shape == (2, 2, 3)
    rng = np.random.RandomState(5)
    for repeat in range(2):
        order = _order(y, rng, stratify=True)
        for row, size in enumerate(sizes):
            search = PretrainThresholdSearch(
                PathClassifier(random_state=4 + repeat), cv=[(order[:size], order[112:])], **settings
            ).fit(X, y)
            np.testing.assert_array_equal(curve.scores[row, repeat], search.scores_[..., 0])
            np.testing.assert_array_equal(curve.dense_scores[row, repeat], search.dense_scores_[..., 0])
            assert curve.thresholds[row, repeat] == search.threshold_
            by_k = [np.nan if value is None else value for value in search.thresholds_.values()]
            np.testing.assert_array_equal(curve.thresholds_by_k[:, row, repeat], by_k)
    np.testing.assert_array_equal(curve.last_n_pretrain, 8)


class SizedRegressor(PathRegressor):
    """Its score rises by one in 10 iterations; with k picks it ends at k."""

    def score(self, X, _):
        return float(min(self.n_pretrain / 10, self.k))


def _sized_curve(**settings):
    X = np.random.default_rng(0).normal(size=(40, 2))
    common = {"train_sizes": [10, 20, 40], "n_repeats": 2, "tol": 0, "target": 3.25, "n_pretrain": [0, 10, 30, 50]}
    return pretrain_threshold_curve(SizedRegressor(), X, X[:, 0], **common | settings)


def test_the_curve_of_one_size():
    curve = _sized_curve(k=[4, 8])
    np.testing.assert_array_equal(curve.thresholds, 50)
    for k in (4, 8):
        one = curve.at(k)
        assert one.k.tolist() == [k]
        assert one.scores.shape == (3, 2, 4, 1)
        np.testing.assert_array_equal(one.thresholds, 50)
        np.testing.assert_array_equal(one.target_scores, curve.target_scores)
    with pytest.raises(ValueError, match=r"k must be one of \[4, 8\], got 5"):
        curve.at(5)


def test_the_best_size_decides_and_the_others_are_beyond_their_runs():
    curve = _sized_curve(k=[2, 8])
    np.testing.assert_array_equal(curve.thresholds, 50)
    np.testing.assert_array_equal(curve.thresholds_by_k[0], np.nan)
    few = curve.at(2)
    assert np.isnan(few.thresholds).all()
    np.testing.assert_array_equal(few.last_n_pretrain, 50)
    assert np.isnan(few.log_fit.coef).all()


def test_thresholds_between_checkpoints():
    curve = _sized_curve(k=[8], interpolate=True)
    assert curve.interpolated is curve.at(8).interpolated is True
    assert _sized_curve(k=[8]).interpolated is False
    expected = np.expm1(np.log1p(30) + (3.25 - 3) / (5 - 3) * (np.log1p(50) - np.log1p(30)))
    np.testing.assert_allclose(curve.thresholds, expected)
    np.testing.assert_array_equal(_sized_curve(k=[8], interpolate=True, target=-1.0).thresholds, 0)
    np.testing.assert_array_equal(_sized_curve(k=[8], interpolate=True, target=3.0).thresholds, 30)
    with pytest.raises(ValueError, match="interpolate must be True or False, got 1"):
        _sized_curve(interpolate=1)


def test_runs_have_seeds_of_their_own():
    seen = []

    class Seen(LogRegressor):
        def fit_path(self, X, y, **kwargs):
            seen.append((len(X), self.random_state))
            return super().fit_path(X, y, **kwargs)

    X = np.random.default_rng(0).normal(size=(40, 2))
    settings = {"train_sizes": [20, 40], "n_repeats": 3, "n_pretrain": [0, 99], "target": "best", "tol": 0}
    pretrain_threshold_curve(Seen(random_state=2**32 - 2), X, X[:, 0], **settings)
    assert seen == [(size, seed) for size in (40, 20) for seed in (2**32 - 2, 2**32 - 1, 0)]
    seen.clear()
    pretrain_threshold_curve(Seen(random_state=None), X, X[:, 0], **settings)
    assert {seed for _, seed in seen} == {None}


def test_the_table_of_a_curve():
    curve = _sized_curve(k=[2, 8])
    frame = curve.to_frame()
    assert len(frame) == 3 * 2 * 4 * 2
    one = frame[(frame.n_samples == 20) & (frame.repeat == 1) & (frame.k == 8)]
    assert one.n_pretrain.tolist() == [0, 10, 30, 50]
    assert one.score.tolist() == [0.0, 1.0, 3.0, 5.0]
    assert one.threshold.tolist() == [50.0] * 4
    assert frame[frame.k == 2].threshold.isna().all()
    assert frame.target_score.tolist() == [3.25] * len(frame)
    plain = curve._replace(scores=None)
    with pytest.raises(ValueError, match="The curve holds no scores"):
        plain.to_frame()


def test_grids_of_different_lengths_share_one_axis():
    """The automatic grid is as long as each run needs; points that a run did not reach have no score."""
    X, y = load_diabetes(return_X_y=True)
    curve = pretrain_threshold_curve(PathRegressor(), X, y, n_repeats=2, target="best", tol=0.05, random_state=0)
    scored = np.isfinite(curve.scores[..., 0])
    np.testing.assert_array_equal(curve.last_n_pretrain, np.where(scored, curve.n_pretrain, 0).max(axis=-1))
    assert len(curve.to_frame()) == scored.sum()
    np.testing.assert_array_equal(scored, np.isfinite(curve.dense_scores))


@pytest.mark.parametrize("law", ["log", "power"])
def test_a_fit_that_counts_runs_beyond_their_end_recovers_the_law(law):
    """Left out, the runs that never reached the goal bend the law down; counted as more than their end they don't."""
    rng = np.random.default_rng(0)
    x = np.repeat(N, 40).astype(float)
    truth = np.array([5.0, 12.0]) if law == "log" else np.array([4.0, 0.4])
    clean = truth[0] + truth[1] * np.log(x) if law == "log" else truth[0] * x ** truth[1]
    y = clean + rng.normal(scale=4, size=len(x))
    beyond = np.full(len(x), np.quantile(y, 0.75))
    seen = np.where(y > beyond, np.nan, y)
    naive, fit = fit_law(law, x, seen), fit_law(law, x, seen, beyond)
    assert (fit.n_censored, fit.n_thresholds, naive.n_censored) == (int(np.isnan(seen).sum()), len(x), 0)
    assert naive.high[1] < truth[1]
    assert fit.low[1] < truth[1] < fit.high[1]
    assert abs(fit.coef[1] - truth[1]) < 0.6 * abs(naive.coef[1] - truth[1])


def test_a_censored_fit_is_the_most_likely_one():
    from scipy.optimize import minimize
    from scipy.stats import norm

    x, y = np.array([1.0, 1, 2, 2, 4, 4, 8, 8]), np.array([3.0, 4, 6, 5, 9, 8, np.nan, np.nan])
    beyond, known = np.full(8, 10.0), np.isfinite(y)

    def misfit(p):
        mean, deviation = p[0] + p[1] * np.log(x), np.exp(p[2])
        return -norm.logpdf(y[known], mean[known], deviation).sum() - norm.logsf(beyond, mean, deviation)[~known].sum()

    best = minimize(misfit, [3.0, 4.0, 0.0], method="BFGS")
    fit = fit_law("log", x, y, beyond)
    np.testing.assert_allclose(fit.coef, best.x[:2], rtol=0.02)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), np.sqrt(np.diag(best.hess_inv))[:2], rtol=0.1)
    assert np.isnan(fit.r2)


def test_thresholds_on_a_line_and_runs_beyond_it():
    fit = fit_law("log", N, np.append(10 * np.log(N[:-1]), np.nan), np.full(5, 60.0))
    np.testing.assert_allclose(fit.coef, [0, 10], atol=0.2)
    assert np.isfinite(fit.low).all()


@pytest.mark.parametrize("law", ["log", "power"])
def test_laws_are_fitted_to_thresholds_measured_elsewhere(law):
    sizes, thresholds, last = [10, 100, 1000, 1000], [3, 9.0, 21, None], (50, 50, 50, 30)
    values = np.array(thresholds, dtype=float)
    expected = fit_law(law, np.array(sizes), values, np.array(last, dtype=float))
    found = ScalingFit.from_thresholds(law, sizes, values.tolist(), beyond=last)
    for name, value in expected._asdict().items():
        np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)
    assert found.n_censored == 1
    assert ScalingFit.from_thresholds(law, sizes, values).n_thresholds == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"law": "line"}, "law must be one of .*, got 'line'"),
        ({"n_samples": [10, 0, 30]}, "n_samples must be positive numbers"),
        ({"thresholds": [1, 2]}, r"columns of one length, got shapes \[\(3,\), \(2,\)\]"),
        ({"beyond": 4}, "columns of one length"),
        ({"thresholds": [1, 2, np.inf]}, r"thresholds must not be infinite.*a NaN, with .* in beyond"),
        ({"thresholds": [1, -np.inf, np.nan]}, "thresholds must not be infinite"),
        ({"thresholds": [1, 2, np.nan], "beyond": [4, 4, np.inf]}, "beyond must not be infinite"),
        ({"beyond": [4, -np.inf, np.nan]}, "beyond must not be infinite"),
        ({"n_samples": [[10, 20, 30]]}, "columns of one length"),
    ],
)
def test_thresholds_that_are_none_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        ScalingFit.from_thresholds(**{"law": "log", "n_samples": [10, 20, 30], "thresholds": [1, 2, 3]} | parameters)


def test_the_number_of_picks_may_be_what_is_searched():
    settings = {"param": "k", "n_pretrain": [1, 2, 4], "train_sizes": [40, 80], "n_repeats": 1, "target": "best"}
    curve = pretrain_threshold_curve(PathClassifier(), *load_iris(return_X_y=True), **settings, random_state=0)
    assert curve.k.tolist() == [None]
    assert set(curve.thresholds.ravel()) <= {1, 2, 4}
