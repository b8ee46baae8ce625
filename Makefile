# Each target works in a virtual environment that is made on first use from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
OUT ?= out

BIN = $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY = $(BIN)/python
PIP = $(PY) -m pip --disable-pip-version-check install --quiet --constraint $(CONSTRAINTS)
INSTALLED = $(VENV)/installed
LINT_INSTALLED = $(VENV)/installed-lint
DOCS_INSTALLED = $(VENV)/installed-docs

.DEFAULT_GOAL := help
.PHONY: help demo test test-lowest test-sklearn test-sealed test-nojit test-nightly test-nightly-numpy test-predict-only test-upstream lint format types docs examples bench \
	bench-compare dist check-dist check-wheel notes clean

help:  ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable ".[test,plot,onnx,progress]"
	@touch $@

$(LINT_INSTALLED): $(INSTALLED)
	$(PIP) --editable ".[lint]"
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(PIP) --editable ".[docs]"
	@touch $@

demo: $(INSTALLED)  ## Install, run the quickstart on the digits, write its pictures to out/.
	$(PY) .ci/demo.py examples/1_quickstart/digits.py $(OUT)

# Two processes of one thread each: the arrays of the suite are small, and threads within processes slow it down.
test: export OMP_NUM_THREADS = 1
test: $(INSTALLED)  ## Install, run the whole test suite.
	$(PY) -m pytest -n 2 $(PYTEST_ARGS)

test-lowest:  ## Run the suite on the lowest supported version of every dependency.
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) .ci/lowest.py > .venv-lowest/constraints.txt
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=.venv-lowest/constraints.txt

test-sklearn:  ## Run the suite with another version of scikit-learn: make test-sklearn VERSION=1.7
	$(PYTHON) -m venv .venv-sklearn-$(VERSION)
	sed 's/^scikit-learn==.*/scikit-learn==$(VERSION).*/' constraints.txt > .venv-sklearn-$(VERSION)/constraints.txt
	$(MAKE) test VENV=.venv-sklearn-$(VERSION) CONSTRAINTS=.venv-sklearn-$(VERSION)/constraints.txt

test-nightly:  ## Run the suite with the development versions of scikit-learn and SciPy.
	$(PYTHON) -m venv .venv-nightly
	grep -vE '^(scikit-learn|scipy)==' constraints.txt > .venv-nightly/constraints.txt
	$(MAKE) .test-nightly VENV=.venv-nightly CONSTRAINTS=.venv-nightly/constraints.txt

.test-nightly: export OMP_NUM_THREADS = 1
.test-nightly: $(INSTALLED)
	$(PIP) --pre --upgrade scikit-learn scipy
	$(PY) -m pytest -n 2 $(PYTEST_ARGS)

# numba, which fit needs, refuses a NumPy that is newer than itself.
test-nightly-numpy: $(INSTALLED)  ## Use fitted models with the development versions of NumPy, SciPy and scikit-learn.
	$(PY) .ci/predict_only.py save $(OUT)/predict_only
	$(PYTHON) -m venv --clear .venv-numpy
	.venv-numpy/bin/python -m pip --disable-pip-version-check install --quiet --pre --upgrade . numpy scipy scikit-learn
	.venv-numpy/bin/python -P .ci/predict_only.py load $(OUT)/predict_only

test-sealed:  ## Run the suite from a read-only installation, with no cache to write to.
	$(PYTHON) -m venv --clear $(VENV)-sealed
	$(MAKE) --no-print-directory .test-sealed VENV=$(VENV)-sealed

.test-sealed:
	$(PIP) ".[test,plot,onnx,progress]"
	.ci/sealed $(PY) $(PYTEST_ARGS)

test-nojit: export NUMBA_DISABLE_JIT = 1
test-nojit: export OMP_NUM_THREADS = 1
test-nojit: $(INSTALLED)  ## Run the tests of the kernels on the kernels as plain Python.
	$(PY) -m pytest -n 2 $(PYTEST_ARGS) $(patsubst %,tests/selection/test_%.py,greedy greedy_kernels greedy_layouts greedy_path \
		greedy_plans greedy_precision greedy_ties gram_columns on_samples log_loss selector)

test-predict-only: $(INSTALLED)  ## Use fitted models from an installation without torch and numba.
	$(PY) .ci/predict_only.py save $(OUT)/predict_only
	$(PYTHON) -m venv --clear $(VENV)-predict
	$(MAKE) --no-print-directory .test-predict-only VENV=$(VENV)-predict

.test-predict-only:
	$(PIP) .
	$(PY) -m pip --disable-pip-version-check check
	$(PY) -P .ci/predict_only.py load $(OUT)/predict_only

test-upstream: export OMP_NUM_THREADS = 1
test-upstream: $(INSTALLED)  ## Run scikit-learn's own tests with this package's classes.
	$(PY) .ci/upstream/run.py $(PYTEST_ARGS)

# The pages whose sentences are checked, beside docstrings and messages.
PROSE = README.md CHANGELOG.md CODE_OF_CONDUCT.md CONTRIBUTING.md SECURITY.md docs/benchmarks.md docs/decisions.md docs/index.md docs/start.md docs/versions.md \
	$(patsubst %,docs/guide/%.md,automatic deploying deployment_tutorial ensembles estimators faq glossary how_much index \
		migrating mixed_columns paper scaling_out search selection theory trained)

SCHEMA = $(BIN)/check-jsonschema --builtin-schema vendor

lint: $(LINT_INSTALLED)  ## Check style, formatting, the order of imports, spelling, sentences and workflows.
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/codespell
	$(PY) .ci/prose.py $(PROSE) sklearn_gfs examples
	$(SCHEMA).github-workflows .github/workflows/*.yml
	$(SCHEMA).github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	$(SCHEMA).dependabot .github/dependabot.yml
	$(SCHEMA).citation-file-format CITATION.cff
	$(BIN)/zizmor --offline --no-progress .github

format: $(LINT_INSTALLED)  ## Put style and formatting right.
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

types: $(LINT_INSTALLED)  ## Check types.
	$(PY) -m mypy

examples: export MPLBACKEND = Agg
examples: $(INSTALLED)  ## Run the examples as they are, those of the paper in their fast form; warnings are errors.
	@for script in $(sort $(wildcard examples/[124]_*/[a-z]*.py)) $(patsubst %,"% --fast",$(sort $(wildcard examples/3_*/[a-z]*.py))); do \
		echo "== $$script"; $(PY) -W error $$script || exit 1; done

docs: $(DOCS_INSTALLED)  ## Build the site, with the examples run, into docs/_build/html; warnings and broken links are errors.
	$(PY) -m sphinx -W --keep-going $(SPHINXOPTS) docs docs/_build/html
	$(PY) .ci/links.py docs/_build/html

bench: $(INSTALLED)  ## Repeat every benchmark by its page's command; hours, but goes on where it was interrupted.
	$(PY) .ci/bench.py --keep $(OUT)/bench $(if $(RIVALS),--rivals $(RIVALS)) $(PAGES)

bench-compare: $(INSTALLED)  ## Time the working tree against another revision: make bench-compare BASE=<revision>.
	$(PY) .ci/bench_compare.py --base $(or $(BASE),HEAD) $(COMPARE_ARGS)

dist:  ## Build the sdist, and from it the wheel, into dist/.
	$(PYTHON) -m venv $(VENV)-build
	$(MAKE) --no-print-directory .build VENV=$(VENV)-build

.build:
	rm -rf dist
	$(PIP) build twine
	$(PY) -m build
	$(PY) -m twine check --strict dist/*

check-dist: dist  ## Build, and then check-wheel.
	$(MAKE) --no-print-directory check-wheel

check-wheel:  ## Install the wheel of dist/ into empty environments and use it there, with what trains and without; then the sdist.
	$(PYTHON) -m venv --clear $(VENV)-dist
	$(MAKE) --no-print-directory .check-train VENV=$(VENV)-dist
	$(PYTHON) -m venv --clear $(VENV)-dist
	$(MAKE) --no-print-directory .check-predict VENV=$(VENV)-dist

.check-train:
	$(PIP) "$$(ls dist/*.whl)[train,plot]"
	$(PY) -P .ci/demo.py examples/1_quickstart/digits.py $(OUT)
	$(PY) -P .ci/snippets.py README.md docs/start.md
	$(PY) -P .ci/predict_only.py save $(OUT)/wheel
	$(PIP) --force-reinstall --no-deps dist/*.tar.gz
	$(PY) -P -c "import sklearn_gfs; print(sklearn_gfs.__version__, sklearn_gfs.GreedyPrunedMLP())"

.check-predict:
	$(PIP) dist/*.whl
	$(PY) -m pip --disable-pip-version-check check
	$(PY) -P .ci/predict_only.py load $(OUT)/wheel

notes:  ## Print what CHANGELOG.md says of a version: make notes VERSION=1.0.0
	@awk -v version='[$(VERSION)]' '/^## / { found += on = $$2 == version; next } on; END { exit !found }' CHANGELOG.md

clean:  ## Remove what the other targets made.
	rm -rf .venv .venv-* out dist docs/_build docs/gallery docs/api/generated
