"""
Run scikit-learn's own tests with this package's classes: python .ci/upstream/run.py [pytest's arguments].

The tests are those of the installed scikit-learn. Tests that touch none of the classes replaced are not run.
"""

import importlib
import importlib.util
import os
import re
import sys
import types
from collections import Counter
from pathlib import Path
from unittest import mock

HERE = Path(__file__).parent
# Workers of joblib import the stand-ins by name.
sys.path.insert(0, str(HERE))
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest  # noqa: E402
import sklearn  # noqa: E402
from table import MODULES  # noqa: E402


def refuse_network():
    """Let no test connect to another machine, as in the package's own suite."""
    spec = importlib.util.spec_from_file_location("own_conftest", HERE.parents[1] / "tests" / "conftest.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def import_with_stand_ins(name, replaced):
    """Import a test module while what it imports is replaced; its parametrizations see the stand-ins too."""
    patches = []
    for path, stand_in in replaced.items():
        home, attribute = path.rsplit(".", 1)
        if home != name:
            patches.append(mock.patch.object(importlib.import_module(home), attribute, stand_in))
    for patch in patches:
        patch.start()
    try:
        module = importlib.import_module(name)
    finally:
        for patch in patches:
            patch.stop()
    for path, stand_in in replaced.items():
        attribute = path.rsplit(".", 1)[1]
        if not hasattr(module, attribute):
            raise SystemExit(f"{name} does not import {attribute}")
        setattr(module, attribute, stand_in)
    return module


def names_in(code):
    """Return the names that a function's code looks up, functions within it included."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= names_in(constant)
    return found


def touches(function, stand_ins, seen=()):
    """Say whether a function comes to a stand-in, by itself or by functions of its module that it calls."""
    for name in names_in(function.__code__):
        value = function.__globals__.get(name)
        if any(value is stand_in for stand_in in stand_ins):
            return True
        own = isinstance(value, types.FunctionType) and value.__module__ == function.__module__ and value not in seen
        if own and touches(value, stand_ins, (*seen, value)):
            return True
    return False


def holds(value, stand_ins):
    """Say whether a parameter of a test is a stand-in, made by one, or contains one."""
    if isinstance(value, dict):
        return any(holds(part, stand_ins) for part in value.values())
    if isinstance(value, list | tuple):
        return any(holds(part, stand_ins) for part in value)
    made_here = type(value).__module__.startswith(("sklearn_gfs", "stand_ins"))
    inner = getattr(value, "estimator", None)
    return (
        made_here or any(value is stand_in for stand_in in stand_ins) or (inner is not None and holds(inner, stand_ins))
    )


class Upstream:
    """The plugin: which tests run, which must fail, and whether enough of them have passed."""

    def __init__(self):
        self.passed = Counter()
        self.complaints = []

    def pytest_collection_modifyitems(self, config, items):
        """Keep what touches a stand-in; expect what is left out to fail."""
        kept, others, unused = [], [], {(name, test) for name, module in MODULES.items() for test in module.left_out}
        for item in items:
            name = item.module.__name__
            module = MODULES[name]
            stand_ins = list(module.replaced.values())
            parameters = list(item.callspec.params.values()) if hasattr(item, "callspec") else []
            if not touches(item.function, stand_ins) and not holds(parameters, stand_ins):
                others.append(item)
                continue
            kept.append(item)
            for test, reason in module.left_out.items():
                if re.fullmatch(re.escape(test).replace(r"\*", ".*"), item.name):
                    unused.discard((name, test))
                    item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
        config.hook.pytest_deselected(items=others)
        items[:] = kept
        self.complaints += [f"{name} has no test {test}, which is left out" for name, test in sorted(unused)]

    def pytest_runtest_logreport(self, report):
        """Count what passes."""
        if report.when == "call" and report.outcome == "passed":
            self.passed[report.nodeid.partition("::")[0]] += 1

    def pytest_sessionfinish(self, session):
        """Complain of modules of which too little has passed."""
        for name, module in MODULES.items():
            n_passed = sum(n for path, n in self.passed.items() if path.endswith(name.replace(".", "/") + ".py"))
            print(f"\n{name}: {n_passed} passed", end="")
            if n_passed < module.at_least:
                self.complaints.append(f"{name}: {n_passed} tests passed, at least {module.at_least} must")
        if self.complaints:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        """Say what is wrong with the table."""
        for complaint in self.complaints:
            terminalreporter.write_line(f"ERROR {complaint}", red=True)


def main():
    """Run them all."""
    refuse_network()
    for name, module in MODULES.items():
        import_with_stand_ins(name, module.replaced)
    # scikit-learn's tests under no configuration but their own conftest.
    root = Path(sklearn.__file__).parents[1]
    options = ["-c", os.devnull, "--rootdir", str(root), "-p", "no:cacheprovider", "-p", "no:randomly", "-q", "-ra"]
    return pytest.main([*options, *sys.argv[1:], "--pyargs", *MODULES], plugins=[Upstream()])


if __name__ == "__main__":
    raise SystemExit(main())
