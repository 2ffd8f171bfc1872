"""Trials need root and network namespaces.

SPDX-License-Identifier: MIT
"""

import pytest

from chaos import report

from . import figures, hosts, trial


@pytest.fixture(scope="session", autouse=True)
def namespaces():
    why = hosts.why_not()
    if why:
        pytest.skip(why)


@pytest.fixture
def judged(world):
    """Runs a script to its end; fails by every rule that was broken."""
    def run(script):
        done, faults = trial.run(world, script)
        print(figures.write(figures.measure(done)))
        if faults:
            world.faulty = True     # the logs are kept
            raise AssertionError(report.faults_text(done, faults)
                                 + f"\nlogs: {done.stack.directory}")
        return done
    return run
