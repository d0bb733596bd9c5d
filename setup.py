"""What setup.cfg cannot say: every folder of code is a package, and of the tests a wheel carries
those that grade an answer, with what they import."""

import ast
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

TESTS = "keras_recs.tests"


def graders(folder: Path) -> set[str]:
    """The modules of `folder` that a check of somebody's answer runs, by name."""
    wanted = ["conftest", *(file.stem for file in folder.glob("test_q[0-9][0-9]_*.py"))]
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        file = folder / f"{name}.py"
        if name in found or not file.exists():
            continue
        found.add(name)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf8"))):
            if isinstance(node, ast.Import):
                wanted += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted.append(node.module)
    return found


class Build(build_py):
    def find_package_modules(self, package, package_dir):
        modules = super().find_package_modules(package, package_dir)
        if package != TESTS:
            return modules
        wanted = graders(Path(package_dir))
        return [each for each in modules if each[1] in wanted]


setup(
    packages=[*find_packages(include=["keras_recs", "keras_recs.*"]), "keras_recs.fixtures", TESTS],
    cmdclass={"build_py": Build},
)
