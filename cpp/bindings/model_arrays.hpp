#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <map>
#include <string>
#include <utility>

#include "lpr_fast/score_columns.hpp"

namespace lpr_fast::python {

/// Arrays of scores by their names; those that a model does not give are not there.
using ScoreArrays = std::map<std::string, pybind11::array_t<double>>;

/// An array for the energies of so many environments by each member, and a view of it.
inline std::pair<pybind11::array_t<double>, MatrixView> room_for_members(const Model& model, Index n_rows) {
    const Index n_members = model.info().n_members;
    pybind11::array_t<double> array({n_rows, n_members});
    const MatrixView view(array.mutable_data(), n_rows, n_members);
    return {std::move(array), view};
}

/// Arrays for everything that a model can say of so many environments, and views of them.
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
