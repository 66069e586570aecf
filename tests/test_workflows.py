"""What runs elsewhere is what runs here: workflows, hooks, templates."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MADE = re.compile(r"(?m)(?:^|&& *)make ([\w-]+)")


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def steps_of(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in loaded(workflow)["jobs"].values() for step in job["steps"]]


def made_by(workflow: Path) -> set[str]:
    return {target for step in steps_of(workflow) for target in MADE.findall(step.get("run", ""))}


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/**/*.yml")), ids=lambda path: path.name)
def test_every_file_for_github_is_yaml(path: Path) -> None:
    assert isinstance(loaded(path), dict)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_makes_is_in_the_makefile(workflow: Path) -> None:
    targets = set(re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text()))
    assert made_by(workflow) <= targets


def test_a_push_is_checked_with_what_the_script_of_the_tree_runs() -> None:
    of_the_script = set(MADE.findall((ROOT / ".ci" / "run").read_text()))
    assert of_the_script
    assert of_the_script <= made_by(ROOT / ".github" / "workflows" / "ci.yml")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_and_a_job_says_what_more_it_needs(workflow: Path) -> None:
    whole = loaded(workflow)
    assert whole["permissions"] == {"contents": "read"}
    more = {name: set(job["permissions"]) for name, job in whole["jobs"].items() if "permissions" in job}
    assert more == {"wheels.yml": {"publish": {"id-token"}}, "docs.yml": {"deploy": {"id-token", "pages"}}}.get(
        workflow.name, {}
    )


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_version(workflow: Path) -> None:
    used = [step["uses"] for step in steps_of(workflow) if "uses" in step]
    assert used
    assert not [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@(v\d+(\.\d+)*|release/v\d+)", action)]


def test_hooks_call_the_tools_that_the_environment_of_developers_has() -> None:
    (repository,) = loaded(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"  # no second list of versions
    tools = {Path(hook["entry"].split()[0]) for hook in repository["hooks"]}
    pinned = {line.split("==")[0] for line in project()["optional-dependencies"]["dev"] if "==" in line}
    assert {tool.parent for tool in tools} == {Path(".venv/bin")}
    assert {"ruff", "mypy", "clang-format"} == {tool.name for tool in tools} <= pinned


def test_wheels_are_built_and_told_for_the_same_pythons() -> None:
    built = {
        f"{match[1]}.{match[2]}"
        for one in pyproject()["tool"]["cibuildwheel"]["build"]
        if (match := re.fullmatch(r"cp(3)(\d+)-\*", one))
    }
    told = {match[1] for one in project()["classifiers"] if (match := re.fullmatch(r".* :: (3\.\d+)", one))}
    assert built == told
    assert min(built, key=lambda one: int(one[2:])) == project()["requires-python"].removeprefix(">=")


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def project() -> dict[str, Any]:
    return pyproject()["project"]
