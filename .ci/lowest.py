"""Print, as a constraints file, the lowest version of every dependency that pyproject.toml allows."""

import re
import tomllib
from pathlib import Path

EXTRAS = ("train", "plot", "onnx", "progress")

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
optional = project["optional-dependencies"]
for requirement in project["dependencies"] + [name for extra in EXTRAS for name in optional[extra]]:
    print(re.sub(">=", "==", requirement))
