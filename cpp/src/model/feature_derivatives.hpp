#pragma once

#include "lpr_fast/model.hpp"
#include "model/model_state.hpp"

namespace lpr_fast {

/// Whether a score or its logarithm is differentiated.
enum class Of { value, logarithm };

/// Derivatives of predictions and scores with respect to features that are not normalised, for environments of any
/// species, on the calling thread. The bits of an environment depend on itself and the model alone.
struct FeatureRows {
    const ModelState& model;
    ConstMatrixView features;  ///< (n, D)
    const int* species;        ///< (n,), all known to the model

    /// phi^T w for K vectors of weights, and its derivatives.
    /// @param weights      (K, M)
    /// @param energies     (n, K)
    /// @param derivatives  (n K, D), row i K + k for environment i and weights k; an empty view skips them
    /// @throws InvalidInput  for NaN, infinity and entries above 1e140 in features, naming the row
    void differentiate_energies(ConstMatrixView weights, MatrixView energies, MatrixView derivatives) const;

    /// Scores, which the model must give (check_quantity()), and their derivatives. Derivatives are zero if phi is zero
    /// or the LPR is above 1e140.
    /// @param values       (n,)
    /// @param derivatives  (n, D)
    void differentiate_scores(Quantity quantity, Of of, VectorView values, MatrixView derivatives) const;
};

/// @throws InvalidInput  for a score that the model does not give
void check_quantity(const ModelInfo& model, Quantity quantity);

}  // namespace lpr_fast
