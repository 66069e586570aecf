#pragma once

#include <array>

#include "lpr_fast/model.hpp"

namespace lpr_fast {

/// A kind of number that a model says of environments.
struct ScoreColumn {
    const char* name;
    VectorView Scores::* view;
    bool (*is_given)(const ModelInfo& model);
    const char* why_not;  ///< what a model that does not give it is, or lacks
};

/// All of them, in the order of the members of Scores.
inline constexpr std::array score_columns{
    ScoreColumn{"lpr", &Scores::lpr, [](const ModelInfo&) { return true; }, ""},
    ScoreColumn{
        "lpr_held", &Scores::lpr_held, [](const ModelInfo& model) { return model.has_held; },
        "the model holds no rows, for it knows one species or was fitted so"
    },
    ScoreColumn{"variance", &Scores::variance, [](const ModelInfo&) { return true; }, ""},
    ScoreColumn{
        "residual", &Scores::residual, [](const ModelInfo& model) { return model.has_residual; },
        "linear models have no residual"
    },
    ScoreColumn{
        "local_energy", &Scores::local_energy, [](const ModelInfo& model) { return model.has_energies; },
        "the model was fitted without energies"
    },
};

}  // namespace lpr_fast
