"""
Run the Python code on pages as it stands, one block after another.

    python .ci/snippets.py README.md docs/start.md
"""

import os
import re
import sys
import tempfile
from pathlib import Path


def blocks(page):
    """Return the blocks of Python code of a page, blank lines in place of the rest, so that errors name its lines."""
    text = Path(page).read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return ["\n" * text.count("\n", 0, block.start(1)) + block[1] for block in found]


def run(page, names):
    """Run all blocks of a page with these names, of which there must be at least one."""
    found = blocks(page)
    assert found, f"{page} has no code"
    for block in found:
        exec(compile(block, str(page), "exec"), names)


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    pages = [Path(name).resolve() for name in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for page in pages:
            run(page, {"__name__": "__main__"})
            print(f"{page.name}: all code ran")
        os.chdir(Path(__file__).parent)
