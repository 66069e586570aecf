#pragma once

#include "lpr_fast/model.hpp"
#include "model/model_state.hpp"

namespace lpr_fast {

/// What is differentiated of a score.
enum class Of { value, logarithm };

/// Environments on their way back to features that are not normalised: some of several species, on the calling thread.
/// The bits of an environment depend on itself and the model alone.
struct FeatureRows {
    const ModelState& model;
    ConstMatrixView features;  ///< (n, D)
    const int* species;        ///< (n,) of those that the model knows

    /// phi^T w of K vectors of weights (K, M).
    /// @param energies     (n, K)
    /// @param derivatives  (n K, D), those of an environment following one another; not wanted without data
    /// @throws InvalidInput  for features that are no numbers, as Model::score
    void differentiate_energies(ConstMatrixView weights, MatrixView energies, MatrixView derivatives) const;

    /// Scores of a kind that the model gives. Derivatives are zero where phi vanishes, or an LPR is above 1e140.
    /// @param values       (n,)
    /// @param derivatives  (n, D)
    void differentiate_scores(Quantity quantity, Of of, VectorView values, MatrixView derivatives) const;
};

/// Throws InvalidInput for a score that the model cannot give.
void check_quantity(const ModelInfo& model, Quantity quantity);

}  // namespace lpr_fast
