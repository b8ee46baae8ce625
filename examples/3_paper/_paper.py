"""What the scripts of this folder share: arguments, data, and tables with the versions that made them."""

import argparse
import csv
import os
import platform
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sklearn
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import sklearn_gfs


class Data(NamedTuple):
    name: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def parse_arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("SKLEARN_GFS_MNIST"),
        help="MNIST as an npz file in Keras' layout; without it, and without SKLEARN_GFS_MNIST, the digits",
    )
    parser.add_argument("--fast", action="store_true", help="the digits and a small grid, whatever --data says")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of training samples, instead of the script's")
    parser.add_argument("--seeds", type=int, help="number of seeds, instead of the script's")
    parser.add_argument("--out", type=Path, help="folder for figures and tables; without it none are written")
    arguments = parser.parse_args()
    arguments.fast = arguments.fast or arguments.data is None
    return arguments


def load(arguments):
    """Return the data in float32, scaled to [0, 1], the training samples shuffled."""
    if arguments.fast:
        X, y = load_digits(return_X_y=True)
        X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.25, random_state=0)
        name = "digits"
    else:
        with np.load(arguments.data) as file:
            X_train, X_test = (file[part].reshape(len(file[part]), -1) / 255 for part in ("x_train", "x_test"))
            y_train, y_test = file["y_train"], file["y_test"]
        order = np.random.default_rng(0).permutation(len(X_train))
        X_train, y_train, name = X_train[order], y_train[order], "MNIST"
    return Data(name, X_train.astype(np.float32), y_train, X_test.astype(np.float32), y_test)


def write_table(arguments, name, rows):
    """Write rows, which are dictionaries with the same keys, as CSV below a line of versions."""
    if arguments.out is None:
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    versions = {"sklearn-gfs": sklearn_gfs, "scikit-learn": sklearn, "torch": torch, "numpy": np}
    made_by = ", ".join(f"{package} {module.__version__}" for package, module in versions.items())
    with (arguments.out / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {made_by}, Python {platform.python_version()}, threads: {torch.get_num_threads()}\n")
        table = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def save_figure(arguments, name, figure):
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        figure.savefig(arguments.out / f"{name}.png", dpi=130)
