"""The specification of every kernel in plain loops: slow, obvious, and independent of the package."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize

# Losses closer than this, relative to the size of the data, are ties.
TIE = 1e-13


def squared_error(z, y):
    """Half the squared distance of one sample's prediction."""
    return 0.5 * sum((a - b) ** 2 for a, b in zip(z, y, strict=True))


def squared_error_gradient(z, y):
    """Gradient of ``squared_error`` in z."""
    return z - y


def log_loss(z, y):
    """Negative log-likelihood of class y under logits z; one logit is that of the second of two classes."""
    z = np.array([0.0, z[0]]) if len(z) == 1 else z
    top = max(z)
    return top + np.log(sum(np.exp(a - top) for a in z)) - z[y]


def log_loss_gradient(z, y):
    """Gradient of ``log_loss`` in z."""
    full = np.array([0.0, z[0]]) if len(z) == 1 else z
    p = np.exp(full - max(full))
    p /= p.sum()
    p[y] -= 1.0
    return p[1:] if len(z) == 1 else p


def probability_loss(z, y):
    """Negative log-likelihood of class y under probabilities z; one is that of the second of two classes."""
    z = np.array([1.0 - z[0], z[0]]) if len(z) == 1 else z
    return -np.log(z[y])


def probability_loss_gradient(z, y):
    """Gradient of ``probability_loss`` in z."""
    full = np.array([1.0 - z[0], z[0]]) if len(z) == 1 else z
    p = np.zeros(len(full))
    p[y] = -1.0 / full[y]
    return p[1:] - p[:1] if len(z) == 1 else p


LOSSES = {
    "squared_error": (squared_error, squared_error_gradient),
    "log_loss": (log_loss, log_loss_gradient),
    "probability_loss": (probability_loss, probability_loss_gradient),
}


def mean_loss(z, y, weight, loss="squared_error"):
    """Weighted mean of the loss over samples."""
    return sum(w * LOSSES[loss][0](a, b) for a, b, w in zip(z, y, weight, strict=True)) / np.sum(weight)


def greedy(atoms, y, k, *, loss="squared_error", weight=None, offset=0.0, signs=(1.0,), radius=1.0, tie=TIE):
    """
    Try every atom, with every sign, at every step; of signs that tie the first is taken.

    ``atoms`` is (n_samples, n_atoms, n_outputs) and y what the loss expects. Returns picks, losses and gaps.
    """
    n_samples, n_atoms, n_outputs = atoms.shape
    weight = np.ones(n_samples) if weight is None else weight
    # Squared errors are rounded as squares are, logarithmic losses as the logits that they are differences of.
    squares = np.mean(np.square(y)) + np.mean(np.square(radius * atoms))
    size = np.max(np.abs(radius * atoms)) if loss == "log_loss" else squares
    picks, losses, gaps = [], [], []
    total = np.zeros((n_samples, n_outputs), dtype=np.asarray(atoms).dtype)
    for t in range(1, k + 1):
        tried = np.array(
            [
                [mean_loss((total + sign * radius * atoms[:, i]) / t + offset, y, weight, loss) for sign in signs]
                for i in range(n_atoms)
            ]
        )
        tied = np.flatnonzero(tried.min(axis=1) <= tried.min() + tie * size)
        again = [i for i in tied if i in picks]
        pick = int(again[0] if again else tied[0])
        first = int(np.flatnonzero(tried[pick] <= tried[pick].min() + tie * size)[0])
        total = total + signs[first] * radius * atoms[:, pick]
        picks.append(pick)
        losses.append(tried[pick, first])
        gaps.append(gap(atoms, total / t, y, loss=loss, weight=weight, offset=offset, signs=signs, radius=radius))
    return np.array(picks), np.array(losses), np.array(gaps)


def look_ahead(known, estimates, c, norms, picks, k, n_new):
    """
    Atoms without a known Gram column that a selection of the hull picks, at most so many, from some picks to k.

    ``known`` are exact columns by atoms, ``estimates`` the matrix that stands for others; an atom's own product with
    itself is its squared norm.
    """
    found, s, picks = [], np.zeros(len(c)), list(picks)
    for pick in picks:
        s = s + known[pick]
    while len(picks) < k:
        scores = [2.0 * (s[i] - (len(picks) + 1) * c[i]) + norms[i] for i in range(len(c))]
        pick = int(np.argmin(scores))
        if pick not in known and pick not in found:
            if len(found) == n_new:
                break
            found.append(pick)
        column = (
            known[pick] if pick in known else [norms[i] if i == pick else estimates[pick, i] for i in range(len(c))]
        )
        s = s + np.array(column)
        picks.append(pick)
    return found


def steepest(atoms, y, n_tried, *, loss="log_loss", weight=None, offset=0.0):
    """Picks of which each is the best of so many along which the loss falls steepest."""
    weight = np.ones(len(y)) if weight is None else weight
    derivative = {"squared_error": squared_error_gradient, "log_loss": log_loss_gradient}[loss]
    total, picks = np.zeros(atoms[:, 0].shape), []
    for j, n in enumerate(n_tried, start=1):
        mean = total / max(j - 1, 1) + offset
        slopes = [
            sum(w * np.sum(derivative(z, t) * a) for w, z, t, a in zip(weight, mean, y, atoms[:, i], strict=True))
            for i in range(atoms.shape[1])
        ]
        tried = np.sort(np.argsort(slopes, kind="stable")[:n])
        losses = [mean_loss((total + atoms[:, i]) / j + offset, y, weight, loss) for i in tried]
        picks.append(int(tried[np.argmin(losses)]))
        total = total + atoms[:, picks[-1]]
    return picks


def gap(atoms, mean, y, *, loss="squared_error", weight=None, offset=0.0, signs=(1.0,), radius=1.0):
    """
    Frank-Wolfe gap: the most that the linearised loss at the mean can fall over the hull.

    Of probabilities at most the loss above that of the best atom for each sample.
    """
    weight = np.ones(len(atoms)) if weight is None else weight
    gradient = np.array([LOSSES[loss][1](z, b) for z, b in zip(mean + offset, y, strict=True)])
    gradient = gradient * (weight / np.sum(weight))[:, None]
    offers = [np.sum(gradient * (mean - sign * radius * atoms[:, i])) for i in range(atoms.shape[1]) for sign in signs]
    if loss == "probability_loss":  # no mean is better than the best atom for each sample
        best = [min(probability_loss(p, b) for p in ps) for ps, b in zip(atoms, y, strict=True)]
        return min(max(offers), mean_loss(mean, y, weight, loss) - np.sum(weight * best) / np.sum(weight))
    return max(offers)


def inner_products(atoms, y, weight):
    """
    Weighted means over samples: of products of atoms, of atoms with y, and of y with itself.

    Atoms of one output have a product with each of y's.
    """
    n_samples, n_atoms, n_outputs = atoms.shape
    n_targets = y.shape[1] if n_outputs == 1 else 1
    gram, c, norm = np.zeros((n_atoms, n_atoms)), np.zeros((n_targets, n_atoms)), 0.0
    for s in range(n_samples):
        share = weight[s] / np.sum(weight)
        norm += share * sum(value**2 for value in y[s])
        for i in range(n_atoms):
            for j in range(n_atoms):
                gram[i, j] += share * sum(a * b for a, b in zip(atoms[s, i], atoms[s, j], strict=True))
            if n_outputs == 1:
                for target in range(n_targets):
                    c[target, i] += share * atoms[s, i, 0] * y[s, target]
            else:
                c[0, i] += share * sum(a * b for a, b in zip(atoms[s, i], y[s], strict=True))
    return gram, c, norm


def best_distance(total, outputs, y, t, share, radius, kind):
    """
    Least squared distance to t times y of the sum with an atom, and the direction in which it is, None if any is.

    The atom is taken as it is ("convex"), with the better sign ("signs") or turned among y's outputs ("directions").
    """
    ahead = total - t * y

    def distance(moved):
        return sum(w * sum(a**2 for a in row) for w, row in zip(share, ahead + radius * moved, strict=True))

    if kind == "convex":
        return distance(outputs), np.ones(1)
    if kind == "signs":
        plus, minus = distance(outputs), distance(-outputs)
        decided = abs(plus - minus) > 1e-9 * max(plus, minus)
        return min(plus, minus), np.array([1.0 if plus < minus else -1.0]) if decided else None
    slope = sum(w * row[0] * a for w, row, a in zip(share, outputs, ahead, strict=True))
    length = np.sqrt(sum(slope**2))
    direction = -slope / length if length > 1e-9 else None
    return distance(outputs * (np.eye(len(slope))[0] if direction is None else direction)), direction


def path_losses(atoms, y, picks, directions, radius, weight):
    """Loss after each pick, of atoms of several outputs times a sign, or of one output turned among several."""
    total, losses = np.zeros(y.shape), []
    for t, (pick, direction) in enumerate(zip(picks, directions, strict=True), start=1):
        for sample in range(len(y)):
            for output in range(y.shape[1]):
                turn = direction[output] if len(direction) > 1 else direction[0]
                values = atoms[sample, pick]
                total[sample, output] += radius * turn * (values[output] if len(values) > 1 else values[0])
        losses.append(mean_loss(total / t, y, weight))
    return np.array(losses)


def probability_gain(total, atom, weight):
    """What an atom adds to the weighted sum of the logarithm of the total."""
    return sum(w * (np.log(t + a) - np.log(t)) for t, a, w in zip(total, atom, weight, strict=True))


def probability_slope(total, atom, weight):
    """Slope of the weighted sum of the logarithm of the total, along an atom."""
    return sum(w * a / t for t, a, w in zip(total, atom, weight, strict=True))


def add_squares(block, weight, out):
    """Add the weighted squared norms of the columns of a block."""
    for i in range(block.shape[1]):
        out[i] += sum(w * row[i] ** 2 for w, row in zip(weight, block, strict=True))


def moving_average(visited):
    """Average weights over iterations: the t-th, from one on, counts 4 / (t + 3), a hundredth in the end."""
    average = None
    for t, weights in enumerate(visited, start=1):
        share = 4 / (t + 3) if t < 397 else 1 / 100
        average = weights if average is None else (1 - share) * average + share * weights
    return average


def network_outputs(X, network, activation):
    """Return the outputs of a two-layer network, sample by sample and neuron by neuron."""
    act = {
        "identity": lambda value: value,
        "logistic": lambda value: 1 / (1 + np.exp(-value)),
        "relu": lambda value: max(value, 0.0),
        "tanh": np.tanh,
    }[activation]
    outputs = np.empty((len(X), len(network.output_intercept)))
    for row, x in enumerate(X):
        total = network.output_intercept.copy()
        for i, weight in enumerate(network.weights):
            value = act(sum(x * network.hidden_coef[:, i]) + network.hidden_intercept[i])
            total = total + weight * value * network.output_coef[i]
        outputs[row] = total
    return outputs


def logit_slope(atom, gradient):
    """Inner product of an atom's logits (n_samples, n_outputs) with a gradient of the same shape."""
    return sum(a * g for row, other in zip(atom, gradient, strict=True) for a, g in zip(row, other, strict=True))


def logit_size(atom, weight):
    """Largest size of an atom's logits (n_samples, n_outputs) on a sample, averaged over the samples."""
    return sum(w * max(abs(a) for a in row) for row, w in zip(atom, weight, strict=True))


def own_probabilities(atoms, classes, least):
    """What every atom (n_samples, n_atoms, n_outputs) gives each sample's class, by atom; and how many are none."""
    own, wrong = [], 0
    for i in range(atoms.shape[1]):
        shares = []
        for row, c in zip(atoms[:, i], classes, strict=True):
            shares.append(max(least, row[c] if len(row) > 1 else row[0] if c == 1 else 1 - row[0]))
            wrong += sum(not -1e-6 <= value <= 1 + 1e-6 for value in row)
        own.append(shares)
    return np.array(own), wrong


def network_gradient(network, X, targets, weight, activation, loss, alpha):
    """
    Return the mean loss of a two-layer network, and the gradient of loss and penalty by its parameters, in plain loops.

    The gradient of a neuron is divided by the neuron's weight.
    """
    act, slope = {
        "identity": (lambda z: z, lambda a: 1.0),
        "relu": (lambda z: max(z, 0.0), lambda a: float(a > 0)),
        "tanh": (math.tanh, lambda a: 1 - a * a),
        "logistic": (lambda z: 1 / (1 + math.exp(-z)), lambda a: a * (1 - a)),
    }[activation]
    coef, intercept, out_coef, out_intercept, weights = (np.asarray(array, dtype=float) for array in network)
    total, gradient = 0.0, [np.zeros_like(array) for array in (coef, intercept, out_coef, out_intercept)]
    for x, y, share in zip(X.astype(float), targets.astype(float), np.asarray(weight) / len(X), strict=True):
        hidden = [act(intercept[i] + x @ coef[:, i]) for i in range(len(weights))]
        outputs = [
            out_intercept[j] + sum(weights[i] * hidden[i] * out_coef[i, j] for i in range(len(weights)))
            for j in range(len(y))
        ]
        if loss == "squared":
            total += share * sum((output - goal) ** 2 for output, goal in zip(outputs, y, strict=True)) / 2
            residual = [output - goal for output, goal in zip(outputs, y, strict=True)]
        elif loss == "softmax":
            whole = sum(math.exp(output) for output in outputs)
            total += share * sum(goal * (math.log(whole) - output) for output, goal in zip(outputs, y, strict=True))
            residual = [math.exp(output) / whole - goal for output, goal in zip(outputs, y, strict=True)]
        else:
            total += share * sum(math.log1p(math.exp(o)) - goal * o for o, goal in zip(outputs, y, strict=True))
            residual = [1 / (1 + math.exp(-o)) - goal for o, goal in zip(outputs, y, strict=True)]
        for j, difference in enumerate(residual):
            gradient[3][j] += share * difference
            for i, value in enumerate(hidden):
                gradient[2][i, j] += share * difference * value
                change = share * difference * out_coef[i, j] * slope(value)
                gradient[1][i] += change
                gradient[0][:, i] += change * x
    gradient[0] += alpha * coef
    gradient[2] += alpha * out_coef
    return total, gradient


def greedy_by_score(outputs, k, score, loss, *, n_init=1, replace=True, tie=1e-12):
    """
    Pick models one by one by the score of the mean of the picks, of equals by its loss, then those picked, the first.

    ``score`` and ``loss`` take a mean of the outputs (n_models, n_samples, n_columns); without a score loss decides.
    """

    def keys(model, picks):
        mean = sum((outputs[i] for i in [*picks, model]), np.zeros(outputs[0].shape)) / (len(picks) + 1)
        return [loss(mean)] if score is None else [-score(mean), loss(mean)]

    picks = []
    n_alone = min(n_init if n_init > 1 else 0, len(outputs))
    while len(picks) < (k if replace else min(k, len(outputs))):
        alone = len(picks) < n_alone
        among = [i for i in range(len(outputs)) if (replace and not alone) or i not in picks]
        tried = {i: keys(i, [] if alone else picks) for i in among}
        for level in range(len(next(iter(tried.values())))):
            least = min(tried[i][level] for i in among)
            among = [i for i in among if tried[i][level] <= least + tie * max(abs(least), 1.0)]
        again = [i for i in among if i in picks]
        picks.append((again or among)[0])
    return picks


def solved(columns, y, weight, *, penalty, intercept):
    """
    Best weights of some columns (n_samples, n_columns) for y (n_samples, n_targets), and the intercept.

    Least is the mean of half the squared distance plus half the penalty times the sum of the squared weights.
    """
    share = np.sqrt(weight / np.sum(weight))[:, None]
    n_columns = columns.shape[1]
    ones = np.ones((len(y), 1 if intercept else 0))
    # The penalty is that of more samples, on which y is zero.
    more = np.hstack([math.sqrt(penalty) * np.eye(n_columns), np.zeros((n_columns, ones.shape[1]))])
    left = np.vstack([share * np.hstack([columns, ones]), more])
    right = np.vstack([share * y, np.zeros((n_columns, y.shape[1]))])
    weights = np.linalg.lstsq(left, right, rcond=1e-8)[0]
    return weights[:n_columns], weights[n_columns:].sum(axis=0)


def penalised_loss(columns, y, weight, weights, intercept, penalty):
    """Mean loss of a combination of columns, and what the weights cost."""
    return mean_loss(columns @ weights + intercept, y, weight) + 0.5 * penalty * np.sum(weights**2)


def corrective(columns, y, k, *, weight=None, ridge=0.0, intercept=False, tie=1e-12):
    """
    Solve for all weights anew with every atom at every step, and pick the first of those that leave the least loss.

    ``columns`` is (n_samples, n_atoms), or (n_samples, n_atoms, n_outputs) for atoms of one weight each. Returns the
    picks, the losses without the penalty, the losses above the least one with it, and weights and intercept.
    """
    weight = np.ones(len(y)) if weight is None else weight
    if columns.ndim == 3:
        # Losses are sums over outputs, where the mean is over as many rows as there are outputs of samples.
        n_outputs = columns.shape[2]
        flat = np.sqrt(n_outputs) * columns.transpose(0, 2, 1).reshape(-1, columns.shape[1])
        y = np.sqrt(n_outputs) * y.reshape(-1, 1)
        return corrective(flat, y, k, weight=np.repeat(weight, n_outputs), ridge=ridge, intercept=intercept, tie=tie)
    n_atoms = columns.shape[1]
    share = weight / np.sum(weight)
    centred = columns - share @ columns if intercept else columns
    penalty = ridge * np.mean(share @ centred**2)

    def tried(atoms):
        weights, constant = solved(columns[:, atoms], y, weight, penalty=penalty, intercept=intercept)
        return penalised_loss(columns[:, atoms], y, weight, weights, constant, penalty), weights, constant

    least, size = tried(list(range(n_atoms)))[0], tried([])[0]
    picks, losses, gaps, weights, constant = [], [], [], np.zeros((0, y.shape[1])), tried([])[2]
    for _ in range(min(k, n_atoms)):
        others = [i for i in range(n_atoms) if i not in picks]
        found = {i: tried([*picks, i])[0] for i in others}
        before = tried(picks)[0]
        if before - min(found.values()) <= 1e-12 * size:
            break
        picks.append(next(i for i in others if found[i] <= min(found.values()) + tie * size))
        after, weights, constant = tried(picks)
        losses.append(after - 0.5 * penalty * np.sum(weights**2))
        gaps.append(after - least)
    return np.array(picks, dtype=int), np.array(losses), np.array(gaps), weights, constant


def cross_validated(columns, y, weight, loss, *, ridge):
    """Generalised cross-validation: the loss over the squared share of samples that the fit leaves free."""
    share = weight / weight.sum()
    centred = np.sqrt(share)[:, None] * (columns - share @ columns)
    n_free = (
        weight.sum() ** 2 / np.sum(weight**2)
        - 1
        - np.trace(centred @ np.linalg.solve(centred.T @ centred + ridge * np.eye(columns.shape[1]), centred.T))
    )
    n_samples = weight.sum() ** 2 / np.sum(weight**2)
    return loss / (n_free / n_samples) ** 2 if n_free > 0 else math.inf


def pruned_network(coefs, intercepts, activate, X, sizes, ridges, weight=None):
    """
    Prune a network of several layers from the first to the last; weights are solved for anew at the best ridge.

    Returns weights and intercepts. Each pre-activation of the next layer counts as its outgoing weights say.
    """
    weight = np.ones(len(X)) if weight is None else weight
    coefs, intercepts = list(coefs), list(intercepts)
    targets, values = [], X
    for coef, intercept in zip(coefs, intercepts, strict=True):
        targets.append(values @ coef + intercept)
        values = activate(targets[-1])
    importances = [np.ones(coefs[-1].shape[1])]
    for coef in coefs[:1:-1]:
        lengths = np.array([np.sqrt(np.sum((row * importances[0]) ** 2)) for row in coef])
        importances.insert(0, np.maximum(lengths / lengths.max(), 1e-3))
    values = X
    for layer, (size, scale) in enumerate(zip(sizes, importances, strict=True)):
        hidden, y = activate(values @ coefs[layer] + intercepts[layer]), targets[layer + 1] * scale
        share = weight / weight.sum()
        variance = np.mean(share @ (hidden - share @ hidden) ** 2)
        best = math.inf
        for ridge in ridges:
            picks, losses, _, weights, constant = corrective(
                hidden, y, size, weight=weight, ridge=ridge, intercept=True
            )
            score = cross_validated(hidden[:, picks], y, weight, losses[-1], ridge=ridge * variance)
            if score < best:
                best, found = score, (picks, weights / scale, constant / scale)
        coefs[layer], intercepts[layer] = coefs[layer][:, found[0]], intercepts[layer][found[0]]
        coefs[layer + 1], intercepts[layer + 1] = found[1:]
        values = activate(values @ coefs[layer] + intercepts[layer])
    return coefs, intercepts


def layered_outputs(coefs, intercepts, activate, X):
    """Outputs of a network of several layers."""
    for coef, intercept in zip(coefs[:-1], intercepts[:-1], strict=True):
        X = activate(X @ coef + intercept)
    return X @ coefs[-1] + intercepts[-1]


def tanh_jacobian(network, x):
    """Derivatives of a tanh network's outputs: neuron by neuron its coefficients, all intercepts, output weights."""
    n_features, n_hidden = network.hidden_coef.shape
    n_outputs = len(network.output_intercept)
    rows = np.zeros((n_outputs, n_hidden * (n_features + 1) + (n_hidden + 1) * n_outputs))
    for o in range(n_outputs):
        for h in range(n_hidden):
            value = math.tanh(x @ network.hidden_coef[:, h] + network.hidden_intercept[h])
            outer = network.weights[h] * network.output_coef[h, o]
            for j in range(n_features):
                rows[o, h * n_features + j] = outer * (1 - value**2) * x[j]
            rows[o, n_hidden * n_features + h] = outer * (1 - value**2)
            rows[o, n_hidden * (n_features + 1) + h * n_outputs + o] = value
        rows[o, -n_outputs + o] = 1
    return rows


def tanh_outputs(network, x):
    """Outputs of a tanh network."""
    outputs = network.output_intercept.copy()
    for h, weight in enumerate(network.weights):
        value = math.tanh(x @ network.hidden_coef[:, h] + network.hidden_intercept[h])
        outputs += weight * network.output_coef[h] * value
    return outputs


def gauss_newton(network, X, weight, curvature):
    """Gauss-Newton matrix of a tanh network's mean loss, whose second derivative at outputs z is ``curvature(z)``."""
    total = 0.0
    for x, w in zip(X, weight, strict=True):
        rows = tanh_jacobian(network, x)
        total = total + w * rows.T @ curvature(tanh_outputs(network, x)) @ rows
    return total / len(X)


def logistic_curvature(z):
    """Second derivative of a sum of logistic losses."""
    shares = [1 / (1 + math.exp(-a)) for a in z]
    return np.diag([share * (1 - share) for share in shares])


def softmax_curvature(z):
    """Second derivative of the negative log-likelihood of the softmax; of one output, of its logistic function."""
    if len(z) == 1:
        return logistic_curvature(z)
    shares = np.exp(z - max(z))
    shares /= shares.sum()
    return np.diag(shares) - np.outer(shares, shares)


def solved_log_loss(columns, y, weight, *, n_outputs, penalty, intercept, offset):
    """
    Best weights of some columns for classes y by the log loss, and the intercept, with the penalised loss they have.

    ``columns`` is (n_samples, n_columns), or (n_samples, n_columns, n_outputs) for columns of one weight each.
    """
    share = weight / np.sum(weight)
    n_columns, n_targets = columns.shape[1], n_outputs if columns.ndim == 2 else 1

    def outputs(parameters):
        weights = parameters[: n_columns * n_targets].reshape(n_columns, n_targets)
        added = offset + (parameters[n_columns * n_targets :] if intercept else 0.0)
        moved = columns @ weights if columns.ndim == 2 else np.einsum("sno,n->so", columns, weights[:, 0])
        return weights, moved + added

    def penalised(parameters):
        weights, z = outputs(parameters)
        loss = sum(s * log_loss(a, b) for s, a, b in zip(share, z, y, strict=True))
        residual = share[:, None] * np.array([log_loss_gradient(a, b) for a, b in zip(z, y, strict=True)])
        along = columns.T @ residual if columns.ndim == 2 else np.einsum("sno,so->n", columns, residual)
        slopes = np.append(along.ravel() + penalty * weights.ravel(), residual.sum(axis=0) if intercept else [])
        return loss + 0.5 * penalty * np.sum(weights**2), slopes

    start = np.zeros(n_columns * n_targets + (n_outputs if intercept else 0))
    found = optimize.minimize(penalised, start, jac=True, method="BFGS", options={"gtol": 1e-9}) if len(start) else None
    at = start if found is None else found.x
    weights, z = outputs(at)
    return penalised(at)[0], weights, z


def corrective_log_loss(columns, y, k, *, n_outputs, weight=None, ridge=0.0, intercept=False, offset=0.0):
    """Pick along the steepest slope of the penalised loss for an atom's length, then solve for all weights anew."""
    weight = np.ones(len(y)) if weight is None else weight
    share = weight / np.sum(weight)
    centred = columns - share @ columns if intercept else columns
    norms = np.array([share @ (centred[:, i] ** 2).reshape(len(y), -1).sum(axis=1) for i in range(columns.shape[1])])
    options = {"n_outputs": n_outputs, "penalty": ridge * norms.mean(), "intercept": intercept, "offset": offset}
    picks, losses = [], []
    _, weights, z = solved_log_loss(columns[:, picks], y, weight, **options)
    for _ in range(k):
        residual = share[:, None] * np.array([log_loss_gradient(a, b) for a, b in zip(z, y, strict=True)])
        along = [residual * centred[:, i].reshape(len(y), -1) for i in range(columns.shape[1])]
        slopes = [np.sum(a.sum(axis=0) ** 2) if columns.ndim == 2 else np.sum(a) ** 2 for a in along]
        scores = np.array(slopes) / (norms + options["penalty"])
        scores[picks] = -1.0
        picks.append(int(np.argmax(scores)))
        penalised, weights, z = solved_log_loss(columns[:, picks], y, weight, **options)
        losses.append(penalised - 0.5 * options["penalty"] * np.sum(weights**2))
    return np.array(picks), np.array(losses), weights, z


def temperature(shares, y, weight, *, prior=4.0, least=2.0**-52):
    """The temperature with the least log loss plus prior, by ever closer looks at both sides of the best so far."""
    total = sum(weight)

    def cost(log_power):
        power = math.exp(log_power)
        loss = 0.0
        for row, own, w in zip(shares, y, weight, strict=True):
            logs = [power * math.log(max(p, least)) for p in row]
            top = max(logs)
            loss += w * (top + math.log(sum(math.exp(v - top) for v in logs)) - logs[own])
        return loss / total + prior / total * (power - log_power)

    best, reach = 0.0, 4.0
    while reach > 1e-6:
        best = min((best - reach, best - reach / 2, best, best + reach / 2, best + reach), key=cost)
        reach *= 0.7
    return math.exp(-best)


def calibration_line(numbers, y, weight):
    """Slope, not negative, and intercept of the least squares line from numbers to y."""
    total = sum(weight)
    x_mean = sum(w * x for w, x in zip(weight, numbers, strict=True)) / total
    y_mean = sum(w * v for w, v in zip(weight, y, strict=True)) / total
    below = sum(w * (x - x_mean) ** 2 for w, x in zip(weight, numbers, strict=True))
    above = sum(w * (x - x_mean) * (v - y_mean) for w, x, v in zip(weight, numbers, y, strict=True))
    slope = max(above / below, 0.0) if below > 0 else 1.0
    return slope, y_mean - slope * x_mean


def pairs_in_order(low, low_weight, high, high_weight):
    """Weight of the pairs of which the second value is the larger, half of that of ties: all pairs, one by one."""
    total = 0.0
    for a, v in zip(low, low_weight, strict=True):
        for b, w in zip(high, high_weight, strict=True):
            total += v * w * (1.0 if a < b else 0.5 if a == b else 0.0)
    return total


def effective_number(weight, copies):
    """Kish's effective number of samples: the squared sum of all weights over the sum of their squares."""
    total = squares = 0.0
    for one, n_copies in zip(weight, copies, strict=True):
        for _ in range(int(n_copies)):
            total += one / n_copies
            squares += (one / n_copies) ** 2
    return total**2 / squares


def transposed_product(left, right):
    """Inner products of the columns of one matrix with those of another."""
    return [
        [sum(a[i] * b[j] for a, b in zip(left, right, strict=True)) for j in range(len(right[0]))]
        for i in range(len(left[0]))
    ]


def inverse_scales(columns, weights, *, sparse):
    """One over the scales of features; rare values, beside a common least or largest one, keep their sizes."""
    total, variances, rarities = sum(weights), [], []
    for values in columns:
        mean = 0.0 if sparse else sum(w * v for v, w in zip(values, weights, strict=True)) / total
        variances.append(sum(w * (v - mean) ** 2 for v, w in zip(values, weights, strict=True)) / total)
        edges = [0.0] if sparse else [min(values), max(values)]
        common = max(sum(w for v, w in zip(values, weights, strict=True) if v == edge) for edge in edges) / total
        rarities.append(min(1.0, 2 * (1 - common)))
    sizes = [(v / r) ** 0.5 for v, r in zip(variances, rarities, strict=True)]
    rare = sorted(size for size, r in zip(sizes, rarities, strict=True) if r < 1)
    found = []
    for variance, size, rarity in zip(variances, sizes, rarities, strict=True):
        scale = variance**0.5
        if rarity < 1:
            ratio = size / (rare[(len(rare) - 1) // 2] * rare[len(rare) // 2]) ** 0.5
            scale = size / ratio ** max(0.0, 1 - abs(math.log(ratio)) / math.log(100))
        found.append(1 / scale)
    return found
