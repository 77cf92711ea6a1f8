"""What pyproject.toml cannot say: the locustfiles, which people use from the top of a clone, are in the wheel too."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDER = "locustfiles"


class BuildWithLocustfiles(build_py):
    """Copies `locustfiles/` to `loadgen/locustfiles/`, for `loadgen run`. An editable installation has the clone's."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "loadgen", FOLDER)
        self.mkpath(str(target))
        for path in sorted(Path(__file__).parent.glob(f"{FOLDER}/*.py")):
            self.copy_file(str(path), str(target / path.name))


setup(cmdclass={"build_py": BuildWithLocustfiles})
