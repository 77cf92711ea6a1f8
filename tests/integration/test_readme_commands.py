"""The commands of the README are accepted as they stand there: each plans its run."""

import re
import shlex
from pathlib import Path

import pytest

from tests.integration.locust_command import ROOT, run_locust

BLOCKS = re.findall(r"^```bash\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("locust -f locustfiles/")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_has_a_plan(command: str, tmp_path: Path) -> None:
    program, _, file, headless, *flags = shlex.split(command, comments=True)
    assert (program, headless) == ("locust", "--headless")
    run = run_locust(tmp_path, *flags, "--dry-run", files=file.removeprefix("locustfiles/"))
    run.assert_good()
    assert "Dry run: nothing is sent." in run.out
    assert not (tmp_path / "runs").exists()


def test_there_is_one_for_each_question_and_one_for_a_collection_that_exists() -> None:
    assert len(COMMANDS) == 6
    assert sum("--existing" in command for command in COMMANDS) == 1
