"""Sphinx's settings for the documentation site."""

import inspect
import re
import zlib
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert

import sklearn_gfs
from sklearn_gfs._version import SITE_FOLDER

HERE = Path(__file__).parent
PACKAGE = Path(sklearn_gfs.__file__).parent
# Where a class stands, by name: some call the package their home, and viewcode looks for the source where they say.
for home in (sklearn_gfs, sklearn_gfs.theory):
    for name in home.__all__:
        if getattr(getattr(home, name), "__module__", None) == home.__name__:
            path = next(path for path in PACKAGE.rglob("*.py") if f"class {name}(" in path.read_text(encoding="utf-8"))
            getattr(home, name).__module__ = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
CLASSES = [cls for name in sklearn_gfs.__all__ if inspect.isclass(cls := getattr(sklearn_gfs, name))]

project = "sklearn-gfs"
author = "The sklearn-gfs developers"
copyright = "The sklearn-gfs developers"
version = release = sklearn_gfs.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "README.md", "gallery/**/*.ipynb", "gallery/**/*.py", "gallery/**/*.md5"]
templates_path = ["_templates"]
default_role = "py:obj"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"


def own_methods(cls):
    """Return the names of the public methods that this package defines, on the class or on what it inherits from."""
    owners = {name: base for base in reversed(cls.__mro__) for name in vars(base)}
    public = [name for name in owners if not name.startswith("_") and not name.endswith("_request")]
    return sorted(
        name
        for name in public
        if owners[name].__module__.startswith("sklearn_gfs") and callable(getattr(cls, name, None))
    )


autosummary_generate = True
autosummary_context = {"methods_of": {cls.__name__: own_methods(cls) for cls in CLASSES}}
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings have the types
numpydoc_show_class_members = False

# Wide tables and figures have the room to themselves.
WITHOUT_CONTENTS = ["index", "guide/paper", *(f"benchmarks/{page.stem}" for page in HERE.glob("benchmarks/*.md"))]
html_theme = "pydata_sphinx_theme"
html_title = f"sklearn-gfs {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_math_renderer = "mathml"  # browsers draw it by themselves; MathJax would be fetched from another site
html_theme_options = {
    "logo": {"text": f"sklearn-gfs {version}"},
    "navbar_end": ["version-switcher", "theme-switcher"],
    "switcher": {"json_url": "_static/switcher.json", "version_match": SITE_FOLDER},  # the versions that the site has
    "show_prev_next": False,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": {"**": ["page-toc"]} | {page: [] for page in WITHOUT_CONTENTS},
}
html_sidebars = {page: [] for page in ("index", "start", "changelog", "contributing", "decisions", "versions")}

sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"(^|[/\\])_[a-z]+\.py",
    "within_subsection_order": "sphinx_gallery.sorting.FileNameSortKey",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("sklearn_gfs",),
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "write_computation_times": False,
}


def write_inventory(listing, target):
    """Write the inventory that stands in for a site's own where the network cannot be reached."""
    name, *lines = listing.read_text(encoding="utf-8").splitlines()
    header = (
        f"# Sphinx inventory version 2\n# Project: {name}\n# Version: \n# The remainder is compressed using zlib.\n"
    )
    body = "".join(f"{line.split()[1]} {line.split()[0]} 1 {line.split()[2]} -\n" for line in lines)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(header.encode() + zlib.compress(body.encode()))
    return str(target)


# The site of each project, and what is linked to there as this repository lists it, for builds without a network.
intersphinx_timeout = 10
intersphinx_mapping = {
    listing.stem: (url, (None, write_inventory(listing, HERE / "_build" / "inventories" / f"{listing.stem}.inv")))
    for listing, url in (
        (HERE / "inventories" / "sklearn.txt", "https://scikit-learn.org/stable/"),
        (HERE / "inventories" / "numpy.txt", "https://numpy.org/doc/stable/"),
        (HERE / "inventories" / "scipy.txt", "https://docs.scipy.org/doc/scipy/"),
    )
}


def escape_attribute_names(_app, _what, _name, _obj, _options, lines):
    """Escape the underscore that ends names of fitted attributes, which would make a link of them."""
    lines[:] = [re.sub(r"(?<![`\w])(\w+)_(?=[\s,.;:)]|$)", r"\1\\_", line) for line in lines]


def mathml(display):
    """Return the visitor that writes a formula as MathML."""
    tag = "div" if display == "block" else "span"

    def visit(self, node):
        self.body.append(self.starttag(node, tag, "", CLASS="math notranslate nohighlight"))
        formula = convert(node.astext(), display=display)
        # TeX's spaces: none around a slash, a thin one between a logarithm and a letter.
        formula = formula.replace("<mo>&#x0002F;</mo>", "<mi>/</mi>")
        formula = formula.replace("<mi>ln</mi><mi>", '<mi>ln</mi><mspace width="0.167em" /><mi>')
        self.body.append(f"{formula}</{tag}>")
        raise nodes.SkipNode

    return visit, None


def setup(app):
    app.add_html_math_renderer("mathml", mathml("inline"), mathml("block"))
    app.connect("autodoc-process-docstring", escape_attribute_names, priority=1)
