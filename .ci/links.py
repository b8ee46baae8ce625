"""
Check that every link within the built site leads somewhere: pages, files and anchors.

    python .ci/links.py docs/_build/html
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """A page's anchors and links."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links = set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag, attrs):
        given = dict(attrs)
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        self.links += [given[name] for name in ("href", "src") if given.get(name)]


def main(folder):
    root = Path(folder).resolve()
    pages = {path: Page(path) for path in root.rglob("*.html") if "_static" not in path.parts}
    n_links, broken = 0, []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            n_links += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else None
            if not target.is_file() or (parts.fragment and anchors and unquote(parts.fragment) not in anchors):
                broken.append(f"{path.relative_to(root)}: {link}")
    print("\n".join([*broken, f"{n_links} links within {len(pages)} pages, {len(broken)} broken"]))
    return bool(broken) or not n_links


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
