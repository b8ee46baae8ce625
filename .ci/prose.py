"""
Check the sentences of the documentation: none is too long, none uses a phrase of the list.

    python .ci/prose.py docs/start.md docs/guide/*.md sklearn_gfs

Of a page everything is read but code, tables, links' targets and formulas. Of a module, or of all modules in a folder,
the public docstrings are read, and the messages of errors and warnings; of examples also the text between the code. The
list of phrases is .ci/phrases.txt: a pattern, " -> ", and what to write instead.
"""

import ast
import re
import sys
from pathlib import Path

MOST_WORDS = 30
PHRASES = Path(__file__).with_name("phrases.txt")
# What is not prose, and what stands in its place.
LEFT_OUT = [
    (re.compile(r"^(```|~~~|:::).*?^\1[`~:]*$", re.MULTILINE | re.DOTALL), ""),
    (re.compile(r"^(:::|\$\$|[|!(]).*$", re.MULTILINE), ""),
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"\{[\w:]+\}`[^`]*`|`[^`]*`|\$[^$]*\$"), "x"),
    (re.compile(r"\]\([^)]*\)"), "]"),
]
# The same for docstrings: references, examples, headings, formulas, and names with their types.
LEFT_OUT_OF_DOCSTRINGS = [
    (re.compile(r"^References\n-+\n.*?(?=^[A-Z][\w ]+\n-+\n|\Z)", re.MULTILINE | re.DOTALL), ""),
    (re.compile(r"^>>> .*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL), ""),
    (re.compile(r"^[A-Z][\w ]+\n-{3,}$", re.MULTILINE), ""),
    (re.compile(r"^\.\. math::.*?(?=\n\S|\Z)", re.MULTILINE | re.DOTALL), ""),
    (re.compile(r"^[\w*`.~]+(, [\w*`.~]+)* : .*$(?=\n    )", re.MULTILINE), ""),
    (re.compile(r"^[\w.~]+ :(?= )", re.MULTILINE), ""),
    (re.compile(r"^[\w.]+(\[.*\])?$(?=\n    )", re.MULTILINE), ""),
    (re.compile(r":\w+:`[^`]*`|``[^`]*``|`[^`]*`|\[\d\]_"), "x"),
]
# Of an example: its docstring, which has a title, and the comments that its cells begin with.
EXAMPLES_TEXT = re.compile(
    r"\A\"{3}\n(?P<docstring>[^\n]+\n={3,}\n.*?)\"{3}|^# %%\n(?P<comment>(?:#[^\n]*\n)+)", re.MULTILINE | re.DOTALL
)
END = re.compile(
    r"(?<=[.!?])[\"')\]*]*\s+(?=\S)|(?<=:)[\"')\]*]*\s+(?=[\"'(\[*]*[A-Z])|\n\s*\n|\n(?=\s*(?:[-*#:]|\d+\.)\s)"
)


def without(text, patterns):
    """Return the text with all that is no prose blanked out, line by line."""
    for pattern, instead in patterns:
        text = pattern.sub(lambda found, instead=instead: instead + "\n" * found[0].count("\n"), text)
    return text


def sentences(text):
    """Yield each sentence with the number of its line."""
    start = 0
    for end in [*(found.start() for found in END.finditer(text)), len(text)]:
        sentence = text[start:end]
        lead = len(sentence) - len(sentence.lstrip())
        yield text.count("\n", 0, start + lead) + 1, " ".join(sentence.split())
        start = end


def public(tree):
    """Yield every class and function whose name has no underscore in front, those within functions left out."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def text_of(node):
    """Return a string as it is written: formatted values are an "x", and what is no string is empty."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def messages(tree):
    """Yield the first line and the text of every message of an error or a warning."""
    for node in ast.walk(tree):
        raised = isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        call = node.exc if raised else node
        if raised or (isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("warn", "warn_caller"))):
            yield from ((part.lineno, text) for part in call.args if (text := text_of(part)))


def prose_of(name, source):
    """Yield the texts of a page or a module, each with the number of the line before its first one."""
    if name.suffix == ".md":
        yield 0, without(source, LEFT_OUT)
        return
    tree = ast.parse(source)
    for node in public(tree):
        if docstring := ast.get_docstring(node):
            starts_below = ast.get_docstring(node, clean=False).startswith("\n")
            yield node.body[0].lineno - 1 + starts_below, without(docstring, LEFT_OUT_OF_DOCSTRINGS)
    yield from ((line - 1, text) for line, text in messages(tree))
    for block in EXAMPLES_TEXT.finditer(source):
        text = block["docstring"] or re.sub("^# ?", "", block["comment"], flags=re.MULTILINE)
        line = source.count("\n", 0, block.start(block.lastgroup))
        yield line, without(text, LEFT_OUT_OF_DOCSTRINGS)


def rules():
    """Return the patterns and what to write instead."""
    lines = PHRASES.read_text(encoding="utf-8").splitlines()
    parts = [line.split(" -> ") for line in lines if line and not line.startswith("#")]
    return [(re.compile(rf"\b{pattern}", re.IGNORECASE), instead) for pattern, instead in parts]


def complaints(name, source, phrases):
    """Yield a line's number and what is wrong there."""
    for before, text in prose_of(name, source):
        for line, sentence in sentences(text):
            words = len(re.findall(r"[\w'-]+", sentence))
            if words > MOST_WORDS:
                yield before + line, f"{words} words in one sentence, more than {MOST_WORDS}: {sentence[:60]}..."
            for pattern, instead in phrases:
                for found in pattern.finditer(sentence):
                    yield before + line, f"{found[0]!r}: {instead}"


def main(names):
    phrases = rules()
    paths = [Path(name) for name in names]
    files = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    found = [
        f"{file}:{line}: {what}"
        for file in files
        for line, what in complaints(file, file.read_text(encoding="utf-8"), phrases)
    ]
    print("\n".join(found) or f"{len(files)} files read, nothing to say")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
