#pragma once

#include <pybind11/numpy.h>

#include <optional>
#include <tuple>
#include <utility>

#include "lpr_fast/model.hpp"

namespace lpr_fast::python {

/// lpr, variance, and where the model has them residual and energy.
using ScoreArrays = std::tuple<
    pybind11::array_t<double>, pybind11::array_t<double>, std::optional<pybind11::array_t<double>>,
    std::optional<pybind11::array_t<double>>>;

/// Arrays for everything that a model can say of so many environments, and views of them.
inline std::pair<ScoreArrays, Scores> room_for_scores(const Model& model, Index n_rows) {
    using Vector = pybind11::array_t<double>;
    const auto view = [](Vector& array) { return VectorView{array.mutable_data(), array.shape(0)}; };
    ScoreArrays arrays{Vector(n_rows), Vector(n_rows), {}, {}};
    auto& [lpr, variance, residual, energy] = arrays;
    Scores scores{view(lpr), view(variance), {}, {}};
    if (model.info().has_residual) scores.residual = view(residual.emplace(n_rows));
    if (model.info().has_energies) scores.local_energy = view(energy.emplace(n_rows));
    return {std::move(arrays), scores};
}

}  // namespace lpr_fast::python
