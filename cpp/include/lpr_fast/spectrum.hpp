#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lpr_fast/hessian_accumulator.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

struct SpectrumState;

/// Labelled training rows against a prior, for every regularizer at once.
///
/// With U^T U = P and rows A = sqrt(W) X U^-1 = Q S V^T, one singular value decomposition gives, for every mu, the
/// evidence, the leverage of every row, and its error when it is left out. Directions that the prior does not know are
/// taken as what they are, weights without a penalty.
///
/// Immutable and cheap to copy; any number of threads may use one object. Results do not depend on their number.
class Spectrum {
public:
    /// @param prior    (size, size), as for fit(); the identity when not given
    /// @param columns  the weights of a smaller model; all of them when empty
    /// @throws InvalidInput  no rows, rows without targets, columns that are not there or twice, and as fit()
    Spectrum(
        const HessianAccumulator& accumulator, std::optional<ConstMatrixView> prior, std::vector<Index> columns = {},
        int n_threads = 0
    );

    /// Eigenvalues of U^-T X^T W X U^-1, the squares of S, decreasing: a regularizer far above one of them leaves its
    /// direction to the prior, one far below leaves it to the data.
    const std::vector<double>& eigenvalues() const&;
    const std::vector<double>& eigenvalues() const&& = delete;

    /// Weights without a penalty that the data determine.
    Index n_flat() const;

    /// -2 log of the probability of the targets, y ~ N(0, s^2 (W^-1 + X (mu P)^-1 X^T)); NaN unless there are more rows
    /// than flat directions. Rows of weight zero do not count. Directions without a penalty have a flat prior, whose
    /// constant is left out.
    ///
    /// @param scale  s^2: 1 where the weights are 1 / sigma^2 of noise that is known; the most probable when not given
    /// @throws InvalidInput  unless mu > 0 and s^2 > 0
    double minus_twice_log_evidence(double regularizer, std::optional<double> scale = std::nullopt) const;

    /// y^T (W^-1 + X (mu P)^-1 X^T)^-1 y: about the number of rows less that of flat directions, where the weights are
    /// 1 / sigma^2 of noise that is known and the prior is right. That number times the most probable scale s^2.
    /// @throws InvalidInput  unless mu > 0
    double misfit(double regularizer) const;

    /// Of training rows, structure by structure: what is left of their targets, and what is left when their structure
    /// is not in the training set: (I - K_AA W_A)^-1 e_A with K = X H^-1 X^T.
    ///
    /// @param rows        (n, size of the accumulator), without the root of their weights
    /// @param structures  number of the structure of each row; the rows of one follow one another
    /// @param residuals   (n, regularizers.size)
    /// @param left_out    the same; NaN where the structure alone determines a direction, that is where an eigenvalue
    /// of its leverage is within 1e-8 of one
    void leave_one_out(
        ConstMatrixView rows, ConstVectorView targets, ConstVectorView weights, const std::vector<Index>& structures,
        ConstVectorView regularizers, MatrixView residuals, MatrixView left_out, int n_threads = 0
    ) const;

private:
    std::shared_ptr<const SpectrumState> state_;
};

}  // namespace lpr_fast
