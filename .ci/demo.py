"""
Run an example and save its pictures.

    python .ci/demo.py examples/1_quickstart/digits.py out
"""

import argparse
import runpy
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt


def main():
    mpl.use("Agg")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("script", type=Path)
    parser.add_argument("out", type=Path, help="folder for the pictures, made if absent")
    arguments = parser.parse_args()
    runpy.run_path(str(arguments.script), run_name="__main__")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for number in plt.get_fignums():
        picture = arguments.out / f"{arguments.script.stem}_{number}.png"
        plt.figure(number).savefig(picture, dpi=150)
        print(f"picture: {picture}")


if __name__ == "__main__":
    main()
