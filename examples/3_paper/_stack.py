"""Networks of one shape, trained and pruned side by side: what the paper's own experiment needs, on any device."""

from contextlib import contextmanager

import numpy as np
import torch
from torch.nn.functional import softplus

import sklearn_gfs

# Inputs are gathered so many at a time.
_ROWS = 8192


@contextmanager
def rounded_products(device):
    """On a GPU multiply in TF32: float32 rounded to 10 bits of mantissa before the product, summed in float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if device == "cuda" else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def draw(n_features, n_hidden, seed):
    """Return weights as ``torch.nn.Linear`` draws them: uniform within one over the root of the fan-in."""
    rng = np.random.default_rng(seed)
    shapes = ((n_features, n_hidden), n_features), ((n_hidden, 1), n_hidden)
    return [(2 * rng.random(shape, dtype=np.float32) - 1) / np.float32(fan_in**0.5) for shape, fan_in in shapes]


def batches(n_samples, n_batches, batch_size, seed):
    """Return batches of places, one after the other out of an endless row of shuffles, as the package takes them."""
    rng, n_rows = np.random.RandomState(seed), n_batches * batch_size
    shuffles = [rng.permutation(n_samples) for _ in range(-(-n_rows // n_samples))]
    return np.concatenate(shuffles)[:n_rows].reshape(n_batches, batch_size)


class Stack:
    """
    Networks f(x) = sum_i b_i relu(a_i . x) of one output, without intercepts; the probability of class 1 is sigmoid(f).

    f is the mean of the neurons N b_i relu(a_i . x), of which a subnetwork averages a few. All networks read the same
    X and y, each its own rows, and take their updates together: SGD with momentum on the binary cross-entropy.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32
    y : ndarray of shape (n_samples,), float32, zeros and ones
    starts : list of pairs of arrays
        Initial weights of each network, as `draw` gives them.
    rows : list of arrays
        Each network's samples.
    steps : list of float
        Each network's step size.
    momentum : float
    device : str
    """

    def __init__(self, X, y, starts, rows, steps, momentum, device):
        self.device, self.momentum = device, momentum
        self.X, self.y = torch.from_numpy(X).to(device), torch.from_numpy(y).to(device)
        self.hidden, self.output = (
            torch.stack([torch.from_numpy(start[part]).to(device) for start in starts]) for part in (0, 1)
        )
        self.rows = [torch.from_numpy(own).to(device) for own in rows]
        self.steps = torch.tensor(steps, dtype=torch.float32, device=device)[:, None, None]
        self.moments = torch.zeros_like(self.hidden), torch.zeros_like(self.output)
        self.n_hidden = self.hidden.shape[2]

    def __len__(self):
        return len(self.hidden)

    def _each(self, places):
        """Yield inputs and labels batch by batch; places among a network's rows are (networks, batches, batch size)."""
        places = torch.from_numpy(places).to(self.device)
        samples = torch.stack([own[mine] for own, mine in zip(self.rows, places, strict=True)], dim=1)
        for batch in samples:
            yield self.X[batch], self.y[batch][:, :, None]

    def advance(self, places):
        """Make an update on each of these batches, given as to `_each`."""
        with torch.inference_mode(), rounded_products(self.device):
            for X, y in self._each(places):
                self._update(X, y)

    def _update(self, X, y):
        hidden = torch.bmm(X, self.hidden).relu_()
        residual = (torch.bmm(hidden, self.output).sigmoid_() - y) / X.shape[1]
        of_hidden, of_output = self.moments
        of_output.baddbmm_(hidden.mT, residual, beta=self.momentum)
        slopes = hidden.sign_().mul_(residual).mul_(self.output.mT)
        of_hidden.baddbmm_(X.mT, slopes, beta=self.momentum)
        self.hidden.addcmul_(of_hidden, self.steps, value=-1)
        self.output.addcmul_(of_output, self.steps, value=-1)

    def picked_on_batches(self, places):
        """
        Pick as the paper's algorithm does, every pick on one mini-batch; return how often, two arrays (networks, N).

        The first minimises the squared error of the sigmoid of the picks' mean against labels 0 and 1, the second
        that of the mean itself against -1 and 1. Batches are given as to `_each`.
        """
        shape = 2, len(self), self.n_hidden, 1
        counts = torch.zeros(shape, device=self.device)
        one = torch.ones((len(self), 1, 1), device=self.device)
        with torch.inference_mode():
            neurons = self.n_hidden * self.output.mT
            for pick, (X, y) in enumerate(self._each(places), start=1):
                outputs = torch.bmm(X, self.hidden).relu_().mul_(neurons)
                for count, through_sigmoid in zip(counts, (True, False), strict=True):
                    means = (outputs + torch.bmm(outputs, count)).div_(pick)
                    means = means.sigmoid_().sub_(y) if through_sigmoid else means.sub_(2 * y - 1)
                    best = means.square_().sum(1, keepdim=True).argmin(2, keepdim=True)
                    count.scatter_add_(1, best, one)
        return counts[..., 0].cpu().numpy()

    def neurons(self, network, rows=None):
        """Return the outputs of a network's neurons on its samples or on these rows, (samples, N), and the labels."""
        rows = self.rows[network] if rows is None else torch.from_numpy(rows).to(self.device)
        with torch.inference_mode():
            outputs = torch.empty((len(rows), self.n_hidden), device=self.device)
            for part, some in zip(outputs.split(_ROWS), rows.split(_ROWS), strict=True):
                torch.mm(self.X[some], self.hidden[network], out=part).relu_()
            return outputs.mul_(self.n_hidden * self.output[network, :, 0]), self.y[rows]

    def picked_by_package(self, network, k):
        """Return what the package's selection picks, of tensors where they are."""
        outputs, y = self.neurons(network)
        return sklearn_gfs.greedy_forward_selection(outputs, 2 * y.double().cpu().numpy() - 1, k).picks


def picked(outputs, y, k):
    """Pick by the squared error of the picks' mean against -1 and 1, on all samples; return the picks in order."""
    with torch.inference_mode():
        norms = torch.linalg.vector_norm(outputs, dim=0).double().square()
        with_target, with_sum = torch.mv(outputs.T, 2 * y - 1).double(), torch.zeros_like(norms)
        picks, columns = [], {}
        for pick in range(1, k + 1):
            best = int((2 * (with_sum - pick * with_target) + norms).argmin())
            if best not in columns:
                columns[best] = torch.mv(outputs.T, outputs[:, best].contiguous())
            with_sum += columns[best]
            picks.append(best)
        return np.array(picks)


def picked_by_log_loss(outputs, y, k, n_tried=16):
    """Pick by the binary cross-entropy as the estimators do: the best of the few along which it falls steepest."""
    with torch.inference_mode():
        total, picks = torch.zeros_like(y), []
        for pick in range(1, k + 1):
            slopes = torch.mv(outputs.T, (total / max(pick - 1, 1)).sigmoid() - y)
            tried = slopes.topk(min(n_tried, len(slopes)), largest=False).indices
            logits = (total[:, None] + outputs[:, tried]) / pick
            best = tried[(softplus(logits) - y[:, None] * logits).mean(0).argmin()]
            total = total + outputs[:, best]
            picks.append(best)
        return torch.stack(picks).cpu().numpy()


def accuracies(outputs, y, counts):
    """Return the accuracies of the network, given its neurons' outputs, and of subnetworks, (subnetworks, N) counts."""
    with torch.inference_mode():
        weights = np.vstack([np.ones(outputs.shape[1]), counts])
        logits = outputs @ torch.from_numpy(weights.T.astype(np.float32)).to(outputs.device)
        return ((logits > 0) == (y[:, None] > 0.5)).double().mean(0).cpu().numpy()
