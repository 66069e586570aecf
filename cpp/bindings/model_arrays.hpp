#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <map>
#include <string>
#include <utility>

#include "lpr_fast/score_columns.hpp"

namespace lpr_fast::python {

/// Arrays of scores by name, without those that the model does not give.
using ScoreArrays = std::map<std::string, pybind11::array_t<double>>;

/// A new array (n_rows, members of the model) for member energies, and a view of it.
inline std::pair<pybind11::array_t<double>, MatrixView> room_for_members(const Model& model, Index n_rows) {
    const Index n_members = model.info().n_members;
    pybind11::array_t<double> array({n_rows, n_members});
    const MatrixView view(array.mutable_data(), n_rows, n_members);
    return {std::move(array), view};
}

/// New arrays (n_rows,) for all scores that a model gives, and views of them.
/// @param members  whether to add an array for member energies
inline std::pair<ScoreArrays, Scores> room_for_scores(const Model& model, Index n_rows, bool members) {
    ScoreArrays arrays;
    Scores scores;
    for (const ScoreColumn& column : score_columns) {
        if (!column.is_given(model.info())) continue;
        pybind11::array_t<double> array(n_rows);
        scores.*(column.view) = {array.mutable_data(), n_rows};
        arrays.emplace(column.name, std::move(array));
    }
    if (members) {
        auto [array, view] = room_for_members(model, n_rows);
        scores.member_energies = view;
        arrays.emplace("member_energies", std::move(array));
    }
    return {std::move(arrays), scores};
}

}  // namespace lpr_fast::python
