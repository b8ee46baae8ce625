"""
Check the sentences of the documentation: none is too long, none uses a phrase of the list.

    python .ci/prose.py docs/start.md docs/guide/*.md

The list is .ci/phrases.txt: a pattern, " -> ", and what to write instead. Code, tables, links' targets and formulas are
no sentences.
"""

import re
import sys
from pathlib import Path

MOST_WORDS = 40
PHRASES = Path(__file__).with_name("phrases.txt")
# What is not prose, and what stands in its place.
LEFT_OUT = [
    (re.compile(r"^(```|~~~|:::).*?^\1[`~:]*$", re.MULTILINE | re.DOTALL), ""),
    (re.compile(r"^(:::|\$\$|[|!(]).*$", re.MULTILINE), ""),
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"\{[\w:]+\}`[^`]*`|`[^`]*`|\$[^$]*\$"), "x"),
    (re.compile(r"\]\([^)]*\)"), "]"),
]
END = re.compile(r"(?<=[.!?:])[\"')\]*]*\s+(?=[\"'(\[*]*[A-Z])|\n\s*\n|\n(?=\s*(?:[-*#:]|\d+\.)\s)")


def prose_of(text):
    """Return the text with all that is no prose blanked out, line by line."""
    for pattern, instead in LEFT_OUT:
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


def rules():
    """Return the patterns and what to write instead."""
    lines = PHRASES.read_text(encoding="utf-8").splitlines()
    parts = [line.split(" -> ") for line in lines if line and not line.startswith("#")]
    return [(re.compile(rf"\b{pattern}", re.IGNORECASE), instead) for pattern, instead in parts]


def complaints(text, phrases):
    """Yield a line's number and what is wrong there."""
    for line, sentence in sentences(prose_of(text)):
        words = len(re.findall(r"[\w'-]+", sentence))
        if words > MOST_WORDS:
            yield line, f"{words} words in one sentence, more than {MOST_WORDS}: {sentence[:60]}..."
        for pattern, instead in phrases:
            for found in pattern.finditer(sentence):
                yield line, f"{found[0]!r}: {instead}"


def main(names):
    phrases = rules()
    found = [
        f"{name}:{line}: {what}"
        for name in names
        for line, what in complaints(Path(name).read_text(encoding="utf-8"), phrases)
    ]
    print("\n".join(found) or f"{len(names)} pages read, nothing to say")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
