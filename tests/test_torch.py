"""Rigidities of networks: rows beside formulas and differences, conventions of losses, what is refused."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import lpr_fast.torch
from lpr_fast import InvalidInputError, LinearModel, LprWarning, NotPositiveDefiniteError, Rigidity
from lpr_fast.torch import SquaredLoss, jacobian_rows, network_rigidity, train

Array = NDArray[np.float64]

N, D = 30, 4
STRUCTURE = np.repeat(np.arange(N), 3)
RNG = np.random.default_rng(5)
X = RNG.normal(size=(3 * N, D))
ENERGIES = np.sin(X @ [1.0, -0.5, 0.3, 0.8]).reshape(N, 3).sum(axis=1) + 0.3 * RNG.normal(size=N)
LOSS = SquaredLoss(penalty=0.1)


def sigmoid_network(width: int = 5, seed: int = 0) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(D, width),
        torch.nn.Sigmoid(),
        torch.nn.Linear(width, width),
        torch.nn.Sigmoid(),
        torch.nn.Linear(width, 1),
    )


@pytest.fixture(scope="module")
def trained() -> Any:
    return train(sigmoid_network(), X, STRUCTURE, ENERGIES, loss=LOSS)


def rows_of(module: Any, **options: Any) -> Array:
    return np.concatenate(list(jacobian_rows(module, **options)))


def jacobian_by_hand(network: torch.nn.Sequential, features: Array) -> Array:
    """Backpropagation through two layers of sigmoids, in NumPy: rows for weights and biases, layer by layer."""
    w1, b1, w2, b2, w3, _ = (p.detach().numpy().astype(float) for p in network.parameters())
    h1 = 1 / (1 + np.exp(-features @ w1.T - b1))
    h2 = 1 / (1 + np.exp(-h1 @ w2.T - b2))
    d2 = w3[0] * h2 * (1 - h2)
    d1 = (d2 @ w2) * h1 * (1 - h1)
    blocks = [d1[:, :, None] * features[:, None], d1, d2[:, :, None] * h1[:, None], d2, h2, np.ones((len(features), 1))]
    return np.hstack([block.reshape(len(features), -1) for block in blocks])


def test_rows_of_a_sigmoid_network_are_those_of_backpropagation_by_hand() -> None:
    network = sigmoid_network()
    by_hand = jacobian_by_hand(network, X)
    np.testing.assert_allclose(rows_of(network, X=X), by_hand, rtol=1e-12, atol=1e-14)
    summed = by_hand.reshape(N, 3, -1).sum(axis=1)
    np.testing.assert_allclose(rows_of(network, X=X, structure=STRUCTURE), summed, rtol=1e-12, atol=1e-14)


def test_rows_are_differences_of_predictions() -> None:
    network = sigmoid_network().double()
    rows, step = rows_of(network, X=X[:5]), 1e-6
    vector = torch.nn.utils.parameters_to_vector(network.parameters()).detach()
    for j in range(0, len(vector), 7):
        sides = []
        for sign in (1, -1):
            moved = vector.clone()
            moved[j] += sign * step
            torch.nn.utils.vector_to_parameters(moved, network.parameters())
            sides.append(network(torch.from_numpy(X[:5])).detach().numpy()[:, 0])
        np.testing.assert_allclose(rows[:, j], (sides[0] - sides[1]) / (2 * step), rtol=1e-7, atol=1e-9)


def test_atoms_of_a_structure_need_not_stand_together() -> None:
    order = np.random.default_rng(0).permutation(len(X))
    mixed = rows_of(sigmoid_network(), X=X[order], structure=STRUCTURE[order])
    np.testing.assert_allclose(mixed, rows_of(sigmoid_network(), X=X, structure=STRUCTURE), rtol=1e-12)


def test_batches_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, sums = rows_of(sigmoid_network(), X=X), rows_of(sigmoid_network(), X=X, structure=STRUCTURE)
    monkeypatch.setattr("lpr_fast.torch._network._BATCH", 500)
    batches = list(jacobian_rows(sigmoid_network(), X))
    assert max(batch.size for batch in batches) <= 500 < whole.size
    np.testing.assert_allclose(np.concatenate(batches), whole, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(rows_of(sigmoid_network(), X=X, structure=STRUCTURE), sums)


@pytest.mark.parametrize("residuals", ["total", "per_atom"])
def test_a_linear_network_has_the_numbers_of_a_linear_model(residuals: Any) -> None:
    weights = RNG.random(N)
    model = LinearModel.from_arrays(X, [1] * len(X), STRUCTURE, regularizer=0.1, loss=residuals, weights=weights)
    linear = torch.nn.Linear(D, 1, bias=False)
    loss = SquaredLoss(penalty=0.1, residuals=residuals)
    network = network_rigidity(linear, X, STRUCTURE, loss=loss, weights=weights)
    scores = model.score_features(X, [1] * len(X))
    np.testing.assert_allclose(network.lpr(X), scores.lpr, rtol=1e-10)
    np.testing.assert_allclose(network.variance(X), scores.variance, rtol=1e-10)
    assert network.convergence is None


@pytest.mark.parametrize(
    ("loss", "regularizer"),
    [
        (SquaredLoss(penalty=0.6), 0.6),
        (SquaredLoss(weight_decay=0.6), 0.3),
        (SquaredLoss(penalty=0.6, factor=0.5), 1.2),
        (SquaredLoss(weight_decay=0.6, factor=0.5), 0.6),
        (SquaredLoss(penalty=0.02, reduction="mean"), 0.6),
        (SquaredLoss(weight_decay=0.01, penalty=0.01, reduction="mean", factor=0.5), 0.9),
    ],
)
def test_at_the_minimum_of_a_loss_its_gradient_vanishes(loss: SquaredLoss, regularizer: float) -> None:
    """The loss as torch has it, with the L2 term as its optimisers have it, at the minimum of what we make of it."""
    assert loss.regularizer(N) == pytest.approx(regularizer, rel=1e-14)
    linear = train(torch.nn.Linear(D, 1), X, STRUCTURE, ENERGIES, loss=loss, tolerance=0.0)
    totals = linear(torch.from_numpy(X)).reshape(N, 3).sum(dim=1)
    squares = torch.nn.functional.mse_loss(totals, torch.from_numpy(ENERGIES), reduction=loss.reduction)
    value = loss.factor * squares + loss.penalty * sum((p**2).sum() for p in linear.parameters())
    parameters = list(linear.parameters())
    gradients = torch.autograd.grad(value, parameters)
    for gradient, p in zip(gradients, parameters, strict=True):
        left = gradient + loss.weight_decay * p.detach()
        assert float(left.abs().max()) < 1e-6


def test_structure_weights_are_those_of_repeated_structures() -> None:
    weights = np.where(np.arange(N) < 3, 2.0, 1.0)
    network = network_rigidity(sigmoid_network(), X, STRUCTURE, loss=LOSS, weights=weights)
    twice = np.vstack([X, X[:9]]), np.concatenate([STRUCTURE, N + STRUCTURE[:9]])
    repeated = network_rigidity(sigmoid_network(), *twice, loss=LOSS)
    np.testing.assert_allclose(network.lpr(X), repeated.lpr(X), rtol=1e-10)


def test_the_exact_hessian_is_that_of_differences_of_gradients(trained: Any) -> None:
    found = network_rigidity(trained, X, STRUCTURE, ENERGIES, loss=LOSS, hessian="exact", further_steps=0)
    network = copy.deepcopy(trained)
    parameters, targets = list(network.parameters()), torch.from_numpy(ENERGIES)
    vector = torch.nn.utils.parameters_to_vector(parameters).detach()

    def gradient(at: torch.Tensor) -> torch.Tensor:
        torch.nn.utils.vector_to_parameters(at, parameters)
        residuals = targets - network(torch.from_numpy(X)).reshape(N, 3).sum(dim=1)
        value = 0.5 * (residuals**2).sum() + 0.5 * 0.1 * sum((p**2).sum() for p in parameters)
        return torch.nn.utils.parameters_to_vector(torch.autograd.grad(value, parameters))

    eye = 1e-5 * torch.eye(len(vector), dtype=torch.float64)
    hessian = torch.stack([(gradient(vector + e) - gradient(vector - e)) / 2e-5 for e in eye]).numpy()
    np.testing.assert_allclose(found.rigidity.hessian(), hessian, rtol=1e-6, atol=1e-7)
    plain = network_rigidity(trained, X, STRUCTURE, ENERGIES, loss=LOSS, further_steps=0)
    assert not np.allclose(found.lpr(X), plain.lpr(X), rtol=1e-3)


def test_an_indefinite_hessian_is_refused_with_its_eigenvalue() -> None:
    small = SquaredLoss(penalty=1e-6)
    with pytest.raises(NotPositiveDefiniteError, match=r"smallest eigenvalue is -\d.*Gauss-Newton"):
        network_rigidity(sigmoid_network(), X, STRUCTURE, ENERGIES, loss=small, hessian="exact")


def test_training_ends_at_a_minimum_and_leaves_the_module_as_it_was(trained: Any) -> None:
    given = sigmoid_network()
    before = copy.deepcopy(given.state_dict())
    network = network_rigidity(trained, X, STRUCTURE, ENERGIES, loss=LOSS)
    assert network.convergence is not None
    assert network.convergence.is_converged
    assert network.convergence.gain < 1e-5
    assert network.convergence.gradient < 1e-2
    assert network.convergence.lpr_change < 1e-2
    with pytest.warns(LprWarning, match="the training ended after 1 step, but"):
        train(given, X, STRUCTURE, ENERGIES, loss=LOSS, max_steps=1)
    assert all(torch.equal(before[name], value) for name, value in given.state_dict().items())
    assert next(given.parameters()).dtype == torch.float32


def test_a_network_far_from_its_minimum_and_a_wrong_loss_are_told(trained: Any) -> None:
    with pytest.warns(LprWarning, match="the network is not at a minimum of this loss: .* train it further"):
        network = network_rigidity(sigmoid_network(), X, STRUCTURE, ENERGIES, loss=LOSS)
    assert network.convergence is not None
    assert network.convergence.lpr_change > 0.1
    assert network.convergence.n_steps == 3
    with pytest.warns(LprWarning, match="or give the loss that it was trained on"):
        network_rigidity(trained, X, STRUCTURE, ENERGIES, loss=SquaredLoss(penalty=0.1, reduction="mean"))


def test_many_structures_go_through_an_accumulator_with_the_same_numbers() -> None:
    tiny = torch.nn.Sequential(torch.nn.Linear(D, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))
    network = network_rigidity(tiny, X, STRUCTURE, loss=LOSS)
    assert network.size < N
    rows = rows_of(tiny, X=X, structure=STRUCTURE)
    kept = Rigidity.from_features(rows, regularizer=0.1)
    np.testing.assert_allclose(network.lpr(X), kept.lpr(rows_of(tiny, X=X)), rtol=1e-12)


def test_species_have_modules_of_their_own_or_are_given_to_one() -> None:
    species = np.where(np.arange(len(X)) % 3, 14, 8)
    modules = {14: sigmoid_network(3, 1), 8: sigmoid_network(4, 2)}
    network = network_rigidity(modules, X, STRUCTURE, loss=LOSS, species=species)
    rows = rows_of(modules, X=X, species=species)
    n_oxygen = sum(p.numel() for p in modules[8].parameters())
    for s, columns in ((8, np.arange(n_oxygen)), (14, np.arange(n_oxygen, rows.shape[1]))):
        of_species = species == s
        np.testing.assert_allclose(
            rows[np.ix_(of_species, columns)], jacobian_by_hand(modules[s], X[of_species]), rtol=1e-12
        )
        assert not np.delete(rows[of_species], np.r_[columns], axis=1).any()
    np.testing.assert_allclose(
        network.predict(X, species=species)[species == 14], _predicted(modules[14], X[species == 14])
    )
    expected = Rigidity.from_features(rows.reshape(N, 3, -1).sum(axis=1), regularizer=0.1).lpr(rows)
    np.testing.assert_allclose(network.lpr(X, species=species), expected, rtol=1e-10)

    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Embedding(20, 1)

        def forward(self, features: torch.Tensor, species: torch.Tensor) -> torch.Tensor:
            return self.scale(species)[:, 0] * features.sum(dim=1)

    rows = rows_of(Scaled(), X=X, species=species)
    np.testing.assert_allclose(rows[np.arange(len(X)), species], X.sum(axis=1), rtol=1e-12)


def _predicted(module: torch.nn.Module, features: Array) -> Array:
    with torch.no_grad():
        return copy.deepcopy(module).double()(torch.from_numpy(features)).numpy()[:, 0]


def test_frozen_parameters_are_no_weights_and_dropout_is_off() -> None:
    network = sigmoid_network()
    network[0].requires_grad_(requires_grad=False)
    with_dropout = torch.nn.Sequential(network, torch.nn.Dropout(0.9)).train()
    rows = rows_of(with_dropout, X=X)
    np.testing.assert_allclose(rows, jacobian_by_hand(network, X)[:, 5 * (D + 1) :], rtol=1e-12)
    assert with_dropout.training


def test_statistics_of_the_batch_are_off_in_evaluation_and_refused_otherwise() -> None:
    normalised = torch.nn.Sequential(torch.nn.BatchNorm1d(D), torch.nn.Linear(D, 1))
    assert rows_of(normalised, X=X).shape == (len(X), 2 * D + D + 1)
    always = torch.nn.Sequential(torch.nn.BatchNorm1d(D, track_running_stats=False), torch.nn.Linear(D, 1))

    class Noisy(torch.nn.Linear):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return super().forward(features) + torch.rand(len(features), 1, dtype=features.dtype)

    class Centred(torch.nn.Linear):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return super().forward(features - features.mean(dim=0))

    with pytest.raises(InvalidInputError, match=r"the module fails for features of shape \(1, 4\)"):
        jacobian_rows(always, X)
    for module in (Noisy(D, 1), Centred(D, 1)):
        with pytest.raises(InvalidInputError, match="gives different predictions for an atom alone and among"):
            jacobian_rows(module, X)


def test_components_of_predictions_add_up(trained: Any) -> None:
    network = network_rigidity(trained, X, STRUCTURE, ENERGIES, loss=LOSS, further_steps=0)

    def some_nodes(first: int, last: int) -> Any:
        def contribution(module: torch.nn.Sequential, features: torch.Tensor) -> torch.Tensor:
            hidden = module[:4](features)
            return hidden[:, first:last] @ module[4].weight[0, first:last]

        return contribution

    parts = [network.component(some_nodes(0, 2)), network.component(some_nodes(2, 5))]
    rows = [np.concatenate(list(part.phi(X))) for part in parts]
    whole = np.concatenate(list(network.phi(X)))
    np.testing.assert_allclose((rows[0] + rows[1])[:, :-1], whole[:, :-1], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(parts[0].lpr(X), network.rigidity.lpr(rows[0]), rtol=1e-12)
    bias = float(trained[4].bias.detach())
    np.testing.assert_allclose(parts[0].predict(X) + parts[1].predict(X) + bias, network.predict(X), rtol=1e-12)


def test_what_is_held_is_held_for_networks(trained: Any) -> None:
    network = network_rigidity(trained, X, STRUCTURE, ENERGIES, loss=LOSS, further_steps=0)
    rows = np.concatenate(list(network.phi(X)))
    held = network.holding(rows[:1])
    assert np.isinf(held.lpr_held(X[:1])[0])
    np.testing.assert_array_equal(held.lpr_held(X), network.rigidity.holding(rows[:1]).lpr_held(rows))


def test_what_torch_cannot_differentiate_is_told() -> None:
    class Branches(torch.nn.Linear):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return super().forward(features) if features.sum().item() > 1e9 else super().forward(2 * features)

    with pytest.raises(
        InvalidInputError, match=r"torch.func cannot differentiate the module for each atom \(.*\); give"
    ):
        rows_of(Branches(D, 1), X=X)


class _Fails(torch.nn.Linear):
    def forward(self, _: torch.Tensor) -> torch.Tensor:
        raise ValueError("first line\nsecond line")


class _Single(torch.nn.Linear):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return super().forward(features).float()


@pytest.mark.parametrize(
    ("module", "options", "sentence"),
    [
        (3.0, {}, "give a torch.nn.Module, or a dictionary with one for each"),
        ({}, {}, "give a torch.nn.Module, or a dictionary with one for each"),
        ({1.5: torch.nn.Linear(D, 1)}, {}, "the species of the modules are not integers; give a dictionary such as"),
        (
            torch.nn.Linear(D, 1).requires_grad_(requires_grad=False),
            {},
            "no parameter that requires gradients; unfreeze",
        ),
        (torch.nn.Linear(D + 1, 1), {}, r"the module fails for features of shape \(8, 4\) in float64"),
        (_Fails(D, 1), {}, r"in float64 \(first line\); it must accept features"),
        (torch.nn.Linear(D, 2), {}, r"the module returns shape \(8, 2\) for 8 atoms; it must be \(8,\) or \(8, 1\)"),
        (_Single(D, 1), {}, "does not return a float64 tensor"),
        ({14: torch.nn.Linear(D, 1)}, {}, "there is a module for each species; give one species"),
        ({14: torch.nn.Linear(D, 1)}, {"species": [8] * len(X)}, "X has atoms of species 8, which has no module"),
        (torch.nn.Linear(D, 1), {"structure": STRUCTURE[:-1]}, r"structure has shape \(89,\)"),
        (torch.nn.Linear(D, 1), {"X": np.full((90, D), np.nan)}, "X row 0 holds NaN"),
        (torch.nn.Linear(D, 1), {"X": np.zeros((0, D)), "structure": []}, "X has no rows"),
        (torch.nn.Linear(D, 1), {"energies": [1.0]}, "energies has 1 number for 30 structures"),
        (torch.nn.Linear(D, 1), {"energies": [np.nan] * N}, "give a finite one for each"),
        (torch.nn.Linear(D, 1), {"weights": -np.ones(N)}, "the weight of structure 0 is -1"),
        (torch.nn.Linear(D, 1), {"loss": "mse"}, "give lpr_fast.torch.SquaredLoss"),
        (torch.nn.Linear(D, 1), {"loss": SquaredLoss()}, "the loss has no L2 term"),
        (torch.nn.Linear(D, 1), {"hessian": "full"}, "hessian is 'full'; it must be"),
        (torch.nn.Linear(D, 1), {"hessian": "exact"}, "hessian='exact' needs energies, but none were given"),
        (torch.nn.Linear(D, 1), {"further_steps": 1.5}, "further_steps is 1.5; it must be an integer"),
    ],
)
def test_bad_input_gets_one_sentence(module: Any, options: dict[str, Any], sentence: str) -> None:
    given = {"X": X, "structure": STRUCTURE, "loss": LOSS, **options}
    with pytest.raises(InvalidInputError, match=sentence) as caught:
        network_rigidity(module, **given)
    assert "\n" not in str(caught.value)
    assert not re.search(r"Traceback|KeyError|<class", str(caught.value))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"residuals": "mean"}, "loss is 'mean'; it must be 'total' or 'per_atom'"),
        ({"reduction": "none"}, "reduction is 'none'; it must be 'sum' or 'mean'"),
        ({"factor": 0.0}, "factor is 0.0; it must be finite and positive"),
        ({"penalty": -1.0}, "penalty is -1.0; it must be finite and not negative"),
        ({"weight_decay": np.inf}, "weight_decay is inf; it must be finite and not negative"),
    ],
)
def test_losses_that_there_are_not_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        SquaredLoss(**options)


def test_without_torch_the_package_says_what_to_install() -> None:
    code = "import sys; sys.modules['torch'] = None; import lpr_fast; print('there'); import lpr_fast.torch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "there\n"
    last = done.stderr.splitlines()[-1]
    assert last.startswith("lpr_fast._errors.MissingPackageError: rigidities of networks need torch (")
    assert last.endswith("; install it with: pip install 'lpr-fast[torch]'")


def test_threads_of_both_and_forks_go_together() -> None:
    code = """
import multiprocessing
import numpy as np, torch
from lpr_fast.torch import SquaredLoss, network_rigidity
X, structure = np.random.default_rng(0).normal(size=(600, 40)), np.arange(600) // 2
torch.set_num_threads(2)
network = network_rigidity(torch.nn.Linear(40, 1), X, structure, loss=SquaredLoss(penalty=1.0), n_threads=2)
def work(queue):
    rows = np.concatenate(list(network.phi(X[:4])))
    queue.put(network.rigidity.lpr(rows, n_threads=2).tolist())
context = multiprocessing.get_context("fork")
expected = network.lpr(X[:4], n_threads=2).tolist()
queue = context.Queue()
process = context.Process(target=work, args=(queue,))
process.start()
assert queue.get(timeout=60) == expected
process.join()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_names_of_the_package_are_listed() -> None:
    others = {"torch", "MissingPackageError"}
    assert {name for name in vars(lpr_fast.torch) if name[0] != "_"} - others == set(lpr_fast.torch.__all__)


class Recurrent(torch.nn.Module):
    """One module of two names, and a parameter of two modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.tied, self.out = (
            torch.nn.Linear(D, D),
            torch.nn.Linear(D, D, bias=False),
            torch.nn.Linear(D, 1),
        )
        self.again, self.tied.weight = self.first, self.first.weight

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Apply the same weights three times."""
        return self.out(torch.tanh(self.tied(torch.tanh(self.again(torch.tanh(self.first(features)))))))


def test_weights_that_several_modules_share_are_one_weight() -> None:
    torch.manual_seed(1)
    module = Recurrent().double()
    rows = []
    for atom in torch.from_numpy(X):
        gradients = torch.autograd.grad(module(atom[None]).sum(), list(module.parameters()))
        rows.append(np.concatenate([each.numpy().ravel() for each in gradients]))
    phi = np.array(rows)
    np.testing.assert_allclose(rows_of(module, X=X), phi, rtol=1e-12, atol=1e-14)
    with pytest.warns(LprWarning, match="not at a minimum"):  # takes further steps, from copies of the module
        found = network_rigidity(module, X, STRUCTURE, ENERGIES, loss=LOSS)
    summed = phi.reshape(N, 3, -1).sum(axis=1)
    forms = np.einsum("ij,ji->i", phi, np.linalg.solve(summed.T @ summed + 0.1 * np.eye(phi.shape[1]), phi.T))
    np.testing.assert_allclose(found.lpr(X), 1 / forms, rtol=1e-8)
    both = {1: module, 2: module}
    species = np.tile([1, 2, 1], N)
    np.testing.assert_array_equal(rows_of(both, X=X, species=species), rows_of(module, X=X))
    component = found.component(lambda module, features: 2.0 * module(features))
    np.testing.assert_allclose(component.lpr(X), found.lpr(X) / 4.0, rtol=1e-10)


def test_gradients_that_are_switched_off_outside_change_nothing(trained: Any) -> None:
    found = network_rigidity(trained, X, STRUCTURE, ENERGIES, loss=LOSS)
    with torch.no_grad():
        np.testing.assert_array_equal(network_rigidity(trained, X, STRUCTURE, ENERGIES, loss=LOSS).lpr(X), found.lpr(X))
    with torch.inference_mode(), pytest.raises(InvalidInputError, match=r"torch\.inference_mode is on"):
        jacobian_rows(trained, X)


def test_training_ends_with_a_warning_where_no_step_lowers_the_loss() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(D, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    with pytest.warns(LprWarning, match="ended where no step lowers the loss"):
        trained = train(module, X, STRUCTURE, ENERGIES, loss=SquaredLoss(penalty=1e-2))

    def loss(module: torch.nn.Module) -> float:
        with torch.no_grad():
            totals = module.double()(torch.from_numpy(X)).numpy().reshape(N, 3).sum(axis=1)
            penalty = sum(float((p * p).sum()) for p in module.parameters())
        return float(np.sum((ENERGIES - totals) ** 2) + 1e-2 * penalty)

    assert loss(trained) < 0.9 * loss(module)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"loss": SquaredLoss()}, "has no L2 term"),
        ({"loss": LOSS, "tolerance": "small"}, "tolerance is 'small'; it must be a real number"),
        ({"loss": LOSS, "energies": ENERGIES * 1e160}, "the loss is inf at the weights of the module"),
    ],
)
def test_what_cannot_be_trained_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        train(**{"module": sigmoid_network(), "X": X, "structure": STRUCTURE, "energies": ENERGIES, **options})
