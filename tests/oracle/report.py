"""The table of errors: quantiles of error / s for every route. Run as ``python -m tests.oracle.report``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .exact import Truth, truth
from .problems import Array, Problem, all_problems
from .routes import ROUTES, attempt, rigidity_of

# Below this nobody asks for more: the floor of the yardstick.
FLOOR = 1e-12
FACTOR = 20.0


def allowed(truth: Truth) -> Array:
    """The yardstick: the error that LPR_i may have."""
    return np.maximum(FLOOR, FACTOR * truth.s)


@dataclass(frozen=True)
class Solved:
    """A problem with its exact answer."""

    problem: Problem
    truth: Truth

    @property
    def family(self) -> str:
        """Kernel, linear or hessian."""
        return self.problem.name.split()[0]

    def ratios(self, forms: Array) -> Array:
        """Error of every LPR_i in units of s_i, or of FLOOR / FACTOR where s_i is smaller than that."""
        with np.errstate(over="ignore"):  # of routes that are off by hundreds of decades
            return FACTOR * self.truth.lpr_errors(forms) / allowed(self.truth)


def solve_all(*, from_the_end: bool = False) -> list[Solved]:
    """The whole suite with its exact answers: some seconds. Two processes that start at both ends share the work."""
    problems = list(all_problems())
    step = -1 if from_the_end else 1
    return [Solved(problem, truth(problem)) for problem in problems[::step]][::step]


def _row(name: str, ratios: Array, failed: int) -> str:
    cells = " ".join(f"{x:>9.2g}" for x in np.quantile(ratios, [0.5, 0.9, 0.99, 1.0], method="higher"))
    within = np.mean(ratios <= FACTOR)
    return f"{name:<26s} {cells} {within:>8.1%} {failed:>7d}"


def _table(solved: list[Solved]) -> list[str]:
    lines = [f"{'route':<26s} {'median':>9s} {'90 %':>9s} {'99 %':>9s} {'max':>9s} {'within':>8s} {'failed':>7s}"]
    for name, route in ROUTES.items():
        if "gram" in name and solved[0].problem.hessian is not None:
            continue  # a dense Hessian has one route
        forms = [attempt(route, one.problem) for one in solved]
        ratios = np.concatenate([one.ratios(form) for one, form in zip(solved, forms, strict=True)])
        lines.append(_row(name, ratios, sum(bool(np.isnan(form).all()) for form in forms)))
    return lines


def gram_estimates(solved: list[Solved]) -> Array:
    """Estimated over true largest error of phi^T H^-1 phi for every problem on which the Gram route succeeds."""
    quotients = []
    for one in solved:
        if one.problem.hessian is not None:
            continue
        forms = attempt(ROUTES["lpr_fast, method='gram'"], one.problem)
        error = float(np.max(one.truth.form_errors(forms)))
        if 0.0 < error < np.inf:
            estimate = rigidity_of(one.problem, "gram").error_estimate
            assert estimate is not None
            quotients.append(estimate / error)
    return np.array(quotients)


def report(solved: list[Solved]) -> str:
    """Everything that docs/explanation/accuracy.md quotes."""
    s = np.array([np.max(one.truth.s) for one in solved])
    lines = [
        f"{len(solved)} problems; one ulp of the inputs moves an LPR by less than 1e-9 in {np.mean(s < 1e-9):.0%} of "
        f"them, by more than 1e-7 in {np.mean(s > 1e-7):.0%}",
        f"error / s for each LPR; within: share of errors <= max({FLOOR:g}, {FACTOR:g} s); failed: problems unanswered",
    ]
    for family in ("kernel", "linear", "hessian"):
        chosen = [one for one in solved if one.family == family]
        lines += ["", f"{family}: {len(chosen)} problems", *_table(chosen)]
    q = gram_estimates(solved)
    lines += [
        "",
        f"error_estimate / largest true error of method='gram', {len(q)} problems: lowest {q.min():.2g}, median "
        f"{np.median(q):.2g}, highest {q.max():.2g}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(solve_all()))
