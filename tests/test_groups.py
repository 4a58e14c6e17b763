"""Tests of one group run in one process: otherwise each would make the fixtures that they share."""

import pytest


def test_xdist_is_told_the_group(request):
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("asks the processes of --dist=loadgroup")
    name = request.node.get_closest_marker("xdist_group").args[0]
    assert request.node.nodeid.endswith(f"@{name}")
