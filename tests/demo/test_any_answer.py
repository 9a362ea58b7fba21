"""Not only the answer the demo tells of: the first and the last of each day have a proof bundle that verifies."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path

from staging import Played, penstock


def test_the_first_and_last_answer_of_each_day_are_proved(undisturbed: Played, tmp_path: Path) -> None:
    ends = list(accumulate(day["answers"] for day in undisturbed.stage("serve")["days"]))
    for number in sorted({0, *(end - 1 for end in ends), *ends[:-1]}):
        bundle = tmp_path / f"{number}.json"
        made = penstock("trace", "bundle", str(number), "-w", undisturbed.workspace, "--out", bundle)
        assert made.returncode == 0, made.stderr
        checked = penstock("verify", bundle, "--log-key", undisturbed.stage("prove")["log_key"], "--json")
        assert checked.returncode == 0, checked.stderr
        assert json.loads(checked.stdout)["answer"] == number
