"""Fixtures that the tests of the network share."""

import pytest


@pytest.fixture(params=["by feature", "by neuron"])
def order_in_memory(request, monkeypatch):
    monkeypatch.setattr("sklearn_gfs.network._two_layer._FEW_FEATURES", 100 if request.param == "by feature" else 0)
