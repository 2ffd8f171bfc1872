"""At the end of a run: was everything of the contract seen?

SPDX-License-Identifier: MIT
"""

from pathlib import Path

import pytest

from support import frames

HERE = Path(__file__).resolve().parent


@pytest.mark.last
def test_every_event_of_the_contract_was_seen(request):
    files = {item.path for item in request.session.items}
    if request.config.option.keyword or \
            not files.issuperset(HERE.glob("test_*.py")):
        pytest.skip("only a part of the tests is run")
    assert set(frames.EVENTS) - frames.seen == set()
