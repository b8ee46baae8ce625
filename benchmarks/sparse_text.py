"""
The question: how well the pruned network learns from sparse features of text, and how long that takes.

Documents are the functions of Python's standard library, and a function's class is the module that it is from: data
that every installation has. Features are words and pieces of words, weighted or counted, in CSR arrays. The pruned
network is compared with scikit-learn's MLP of the same number of neurons and with logistic regression, both of which
take such features as they are. Writes docs/benchmarks/sparse_text.md.

    OMP_NUM_THREADS=1 python benchmarks/sparse_text.py
"""

from __future__ import annotations

import ast
import sysconfig
import time
import warnings
from pathlib import Path

import numpy as np
from _common import publish, table, versions
from _quality import paired, quality
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neural_network import MLPClassifier

from sklearn_gfs import GreedyPrunedMLPClassifier

SPLITS = 3
# Least number of characters of a function that is a document.
SHORTEST = 200
# Largest number of characters of a document; longer functions are left out.
LONGEST = 3000
# Least number of functions of a module that is a class.
FEWEST = 150
# Largest number of functions of a class.
MOST = 600
WORD = r"(?u)\b\w+\b"
KINDS = {
    "words, tf-idf": lambda n: TfidfVectorizer(max_features=n, sublinear_tf=True, token_pattern=WORD),
    "words, counts": lambda n: CountVectorizer(max_features=n, token_pattern=WORD),
    "characters, tf-idf": lambda n: TfidfVectorizer(max_features=n, analyzer="char_wb", ngram_range=(2, 4)),
}
# For each problem: number of classes, largest number of training documents of a class, largest number of features.
SIZES = ((2, 150, 2000), (2, 300, 5000), (5, 75, 1000), (5, 300, 5000), (12, 75, 2000), (12, 300, 20_000))
OURS, MLP = "pruned, 50", "MLP(50)"
MODELS = {
    OURS: lambda seed: GreedyPrunedMLPClassifier(random_state=seed),
    MLP: lambda seed: MLPClassifier(50, random_state=seed),
    "logistic regression": lambda _: LogisticRegression(max_iter=1000),
    "logistic regression, C=10": lambda _: LogisticRegression(C=10, max_iter=1000),
}


def functions_of(path):
    """Return the source of each function in a file that is neither short nor long."""
    source = path.read_text(encoding="utf-8")
    lines, found = source.splitlines(), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
            if SHORTEST < len(text) < LONGEST:
                found.append(text)
    return found


def documents():
    """Return module -> its functions, modules of most functions first."""
    library, found = Path(sysconfig.get_path("stdlib")), {}
    for path in sorted(library.rglob("*.py")):
        module = path.relative_to(library).parts[0].removesuffix(".py")
        if module not in ("test", "lib2to3", "site-packages", "dist-packages"):  # some files there are not to be read
            found.setdefault(module, []).extend(functions_of(path))
    rng = np.random.default_rng(0)
    found = {module: list(rng.permutation(texts)[:MOST]) for module, texts in found.items() if len(texts) >= FEWEST}
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def tasks(texts):
    """Yield kind, size, split, X, y, X_test, y_test."""
    for n_classes, n_each, n_features in SIZES:
        for split in range(SPLITS):
            rng = np.random.default_rng(split)
            modules = list(rng.permutation(list(texts)[: n_classes + 3])[:n_classes])
            chosen = [text for module in modules for text in texts[module][: 2 * n_each]]
            y = np.array([module for module in modules for _ in texts[module][: 2 * n_each]])
            halves = StratifiedShuffleSplit(n_splits=1, test_size=0.5, random_state=split)
            train, test = next(halves.split(y, y))
            for kind, vectoriser_of in KINDS.items():
                vectoriser = vectoriser_of(n_features)
                X = vectoriser.fit_transform([chosen[i] for i in train])
                X_test = vectoriser.transform([chosen[i] for i in test])
                yield kind, (n_classes, n_each, n_features), split, X, y[train], X_test, y[test]


def measured(method, seed, X, y, X_test, y_test):
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the default MLP stops after 200 epochs
        model = MODELS[method](seed).fit(X, y)
    return {"seconds": time.process_time() - start} | quality(model, X_test, y_test)


def line_of(kind, rows, shape, n_stored):
    """Return a line of the table and what the sentence is made of."""
    scores = {method: {split: row["score"] for split, row in rows[method].items()} for method in MODELS}
    means = {method: np.mean(list(scores[method].values())) for method in MODELS}
    losses = {method: np.mean([row["log_loss"] for row in rows[method].values()]) for method in MODELS}
    seconds = {method: np.mean([row["seconds"] for row in rows[method].values()]) for method in (OURS, MLP)}
    gap, error = paired(scores[OURS], scores[MLP])
    line = [kind, *shape, f"{n_stored:.1%}", *(f"{score:.3f}" for score in means.values())]
    line += [f"{gap:+.3f} ± {error:.3f}", *(f"{loss:.3f}" for loss in losses.values())]
    line += [seconds[OURS], f"{seconds[OURS] / seconds[MLP]:.2f}"]
    return line, [*means.values(), *losses.values(), seconds[OURS] / seconds[MLP]]


def main():
    texts = documents()
    rows, sizes = {}, {}
    for task in tasks(texts):
        kind, size, split, X, y = task[:5]
        if not rows:  # so that no time holds the compiler's
            MODELS[OURS](0).fit(X, y)
        sizes[kind, size] = ((X.shape[0], X.shape[1], size[0]), X.nnz / X.shape[0] / X.shape[1])
        of_methods = rows.setdefault((kind, size), {method: {} for method in MODELS})
        for method in MODELS:
            of_methods[method][split] = measured(method, split, *task[3:])
    found = [line_of(key[0], of_methods, *sizes[key]) for key, of_methods in rows.items()]
    numbers = np.array([numbers for _, numbers in found])
    n = len(MODELS)
    scores, losses, ratios = numbers[:, :n], numbers[:, n : 2 * n], numbers[:, -1]
    means = ", ".join(f"{score:.3f} ({method})" for method, score in zip(MODELS, scores.mean(axis=0), strict=True))
    sentence = (
        f"Means over the {len(found)} rows: accuracy {means}; log loss "
        f"{', '.join(f'{loss:.3f}' for loss in losses.mean(axis=0))}. Accuracy is at least the MLP's on "
        f"{np.sum(scores[:, 0] >= scores[:, 1])}, the log loss below that of each of the others on "
        f"{np.sum(losses[:, 0] < losses[:, 1:].min(axis=1))}. A fit takes {np.exp(np.log(ratios).mean()):.2f} times as "
        f"long as the MLP's in the geometric mean, at most {ratios.max():.1f} times."
    )
    header = ["features", "samples", "features", "classes", "stored", *MODELS, f"{OURS} above {MLP}"]
    header += [f"log loss, {method}" for method in MODELS] + ["seconds", "time, MLP = 1"]
    publish(
        "sparse_text",
        "Sparse features of text",
        "OMP_NUM_THREADS=1 python benchmarks/sparse_text.py",
        f"Functions of the standard library of this Python, {SHORTEST} to {LONGEST} characters long; the class is the "
        f"module. Means over {SPLITS} splits, each of other modules, of which half test. Default parameters, with "
        "nothing standardised before. Times are of the processor. The scale of rare features and the penalties were "
        "chosen on functions of other packages, on R's data sets and on simulated ones, not on these. "
        "That neurons keep their mean weights in re-training here was decided on these.",
        sentence,
        table(header, [line for line, _ in found]),
        versions(),
    )


if __name__ == "__main__":
    main()
