"""Fixtures of the end-to-end tests. SIGNALBOX_BINARY names the binary under test; ./dev test sets it."""

import os
import re
import sys

import pytest

import programs

# Envoy's API lies in an environment of its own (envoy_api_requirements.txt) and comes last, so that it hides nothing.
sys.path.append(os.environ.get('SIGNALBOX_ENVOY_API', ''))


def pytest_addoption(parser):
    parser.addoption('--regex', default='', help='run only tests whose id matches')
    parser.addoption('--sanitized', action='store_true', help='the binary is slow: leave out tests marked heavy')


def pytest_configure(config):
    config.addinivalue_line('markers', 'heavy: needs an optimised binary')
    if not programs.BINARY:
        raise pytest.UsageError('SIGNALBOX_BINARY names no binary; ./dev test sets it')


def pytest_ignore_collect(collection_path):
    # The vLLM tests are asked for by name: ./dev test --vllm.
    return True if collection_path.name == 'vllm' and 'SIGNALBOX_VLLM' not in __import__('os').environ else None


def pytest_collection_modifyitems(config, items):
    pattern = re.compile(config.getoption('--regex'))
    chosen = [item for item in items if pattern.search(item.nodeid)
              and not (config.getoption('--sanitized') and item.get_closest_marker('heavy'))]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


class Started:
    """Programs of one test: stopped at its end, their logs shown if it failed."""

    def __init__(self):
        self.programs = []

    def add(self, program):
        self.programs.append(program)
        return program

    def server(self, *arguments, **keywords):
        return self.add(programs.Server(*arguments, **keywords))

    def router(self, *arguments, **keywords):
        return self.add(programs.Router(*arguments, **keywords))

    def engine(self, *arguments, **keywords):
        return self.add(programs.Engine(*arguments, **keywords))

    def stop(self, failed):
        bad = []
        for program in reversed(self.programs):
            killed = program.process.returncode == -9
            status = program.stop()
            if failed:
                print(f'---- log of {program.name} (exit {status})\n{program.log()[-20000:]}')
            elif status != 0 and not killed:
                bad.append(f'{program.name} ended with {status}:\n{program.log()[-20000:]}')
        assert not bad, '\n'.join(bad)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    setattr(item, 'report_' + report.when, report)
    return report


@pytest.fixture
def started(request):
    programs_of_test = Started()
    yield programs_of_test
    programs_of_test.stop(failed=getattr(request.node, 'report_call', None) is None or request.node.report_call.failed)


@pytest.fixture(scope='session')
def demo():
    """`signalbox serve` as `./dev run` starts it: no configuration, demo engines inside. Shared by tests that only ask."""
    server = programs.Server()
    yield server
    status = server.stop()
    assert status == 0, server.log()[-20000:]
