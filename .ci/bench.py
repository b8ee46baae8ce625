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
# These take hours, the others seconds or minutes: last.
LONG = ("search_halving", "search_pruning", "search_retraining", "defaults", "same_size")
# Their scripts keep finished fits in a file.
RESUMABLE = ("default_fits", "defaults", "rare_classes", "same_size", "second_order")
# Without these packages a page would lose the columns about them.
COMPARED = {
    "corrective_features": ("fastcan",),
    "ensemble": ("autogluon.core",),
    "latency": ("emlearn",),
    "parallel": ("distributed",),
    "prune_network": ("torch_pruning",),
    "selection_peers": ("autogluon.core", "amltk", "deephyper"),
    "training": ("skorch",),
}


def command_of(page):
    """Return the words of the command on the page after "python", or None where it belongs to no benchmark script."""
    found = re.search(r"^`python (benchmarks/.*)`$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return found and shlex.split(found[1])


def installed(package):
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of the parent package
        return False


def lacking(name, rivals):
    """Say what the page needs that is not there, or nothing."""
    missing = [package for package in COMPARED.get(name, ()) if not installed(package)]
    if name == "prune_network":
        missing += [] if os.environ.get("SKLEARN_GFS_MNIST") else ["SKLEARN_GFS_MNIST"]
    if name == "same_size":
        missing += [] if rivals else ["RIVALS=PYTHON (benchmarks/_rivals.py says of which environment)"]
        missing += [] if os.environ.get("SKLEARN_GFS_MNIST") else ["SKLEARN_GFS_MNIST"]
    return ", ".join(missing)


def run(name, words, kept, rivals):
    if name in RESUMABLE:
        words = [*words, "--out", str(kept / f"{name}.jsonl")]
    if name == "same_size":
        script = ROOT / "benchmarks" / "_rivals.py"
        subprocess.run([rivals, script, *words[words.index("--out") :]], cwd=ROOT, check=True)
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True)


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
            print(f"== {name}: python {shlex.join(commands[name])}", flush=True)
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
