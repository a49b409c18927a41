"""Fixtures of all suites in Python."""

import pytest

from telsiz import Server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows what the servers of a failed test said."""
    report = yield
    if report.when == "call" and report.failed:
        for server in getattr(item, "telsiz_servers", []):
            report.sections.append((f"server on port {server.port}", server.said()))
    return report


@pytest.fixture
def serve(request):
    """Starts servers: `serve("echo", "--max-fragments", "4")`. They end with the test."""
    servers = request.node.telsiz_servers = []

    def start(*arguments: str, **options) -> Server:
        servers.append(Server(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request) -> bool:
    """Whether the server of the test speaks TLS: such a test runs twice."""
    return request.param
