#pragma once

#include <array>

#include "lpr_fast/model.hpp"

namespace lpr_fast {

/// A kind of score.
struct ScoreColumn {
    const char* name;                          ///< as in Python and in files
    VectorView Scores::* view;                 ///< its member of Scores
    bool (*is_given)(const ModelInfo& model);  ///< whether a model has this score
    const char* why_not;                       ///< for error messages: why a model does not have it
};

namespace detail {

inline constexpr bool has_reference(const ModelInfo& model) {
    return model.has_reference;
}

inline constexpr const char* no_reference =
    "the model does not know how its training environments score (in Python, with_reference adds it)";

inline constexpr bool has_members(const ModelInfo& model) {
    return model.n_members > 0;
}

inline constexpr const char* no_members = "the model has no members (in Python, Committee makes models that have)";

}  // namespace detail

/// All scores that are one number for each environment, in the order of the members of Scores.
inline constexpr std::array score_columns{
    ScoreColumn{"lpr", &Scores::lpr, [](const ModelInfo&) { return true; }, ""},
    ScoreColumn{
        "lpr_held", &Scores::lpr_held, [](const ModelInfo& model) { return model.has_held; },
        "the model holds no rows fixed, because it has one species or was fitted so"
    },
    ScoreColumn{"variance", &Scores::variance, [](const ModelInfo&) { return true; }, ""},
    ScoreColumn{
        "sigma", &Scores::sigma, [](const ModelInfo& model) { return model.prior_variance > 0.0; },
        "the model was not calibrated"
    },
    ScoreColumn{
        "residual", &Scores::residual, [](const ModelInfo& model) { return model.has_residual; },
        "linear models have no residual"
    },
    ScoreColumn{
        "local_energy", &Scores::local_energy, [](const ModelInfo& model) { return model.has_energies; },
        "the model was fitted without energies"
    },
    ScoreColumn{"percentile", &Scores::percentile, detail::has_reference, detail::no_reference},
    ScoreColumn{"verdict", &Scores::verdict, detail::has_reference, detail::no_reference},
    ScoreColumn{"spread", &Scores::spread, detail::has_members, detail::no_members},
};

}  // namespace lpr_fast
