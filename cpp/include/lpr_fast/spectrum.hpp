#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lpr_fast/hessian_accumulator.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

struct SpectrumState;

/// Evidence and leave-one-out errors of labelled training rows, for any regularizer.
///
/// With U^T U = P, one singular value decomposition sqrt(W) X U^-1 = Q S V^T gives the evidence, the leverages and the
/// leave-one-out errors for every mu. Directions in the null space of the prior are weights without a penalty ("flat").
///
/// Immutable and cheap to copy; any number of threads may use one object at the same time. Results do not depend on the
/// number of threads.
class Spectrum {
public:
    /// @param accumulator  labelled training rows
    /// @param prior        (size, size), as for fit(); the identity if not given
    /// @param columns      the columns of X that are used; all if empty
    /// @throws InvalidInput  for an accumulator without rows or targets, columns that are repeated or out of range, and
    /// as fit()
    Spectrum(
        const HessianAccumulator& accumulator, std::optional<ConstMatrixView> prior, std::vector<Index> columns = {},
        int n_threads = 0
    );

    /// Eigenvalues of U^-T X^T W X U^-1, the squares of S, in decreasing order. For a regularizer far below an
    /// eigenvalue, the data determine its direction; far above, the prior does.
    const std::vector<double>& eigenvalues() const&;
    const std::vector<double>& eigenvalues() const&& = delete;

    /// Number of flat directions (weights without a penalty) that the data determine.
    Index n_flat() const;

    /// Computes -2 log of the evidence, the probability of the targets y ~ N(0, s^2 (W^-1 + X (mu P)^-1 X^T)). NaN
    /// unless there are more rows than flat directions. Rows of weight zero do not count. The constant of the flat
    /// prior of flat directions is left out.
    ///
    /// @param regularizer  mu > 0
    /// @param scale        s^2 > 0: 1 if the weights are 1 / sigma^2 of known noise; if not given, the most probable
    /// one
    /// @throws InvalidInput  unless mu > 0 and s^2 > 0
    double minus_twice_log_evidence(double regularizer, std::optional<double> scale = std::nullopt) const;

    /// Computes y^T (W^-1 + X (mu P)^-1 X^T)^-1 y = (n - n_flat) s^2, with the number n of rows and the most probable
    /// scale s^2. If the weights are 1 / sigma^2 of known noise and the prior is right, it is about n - n_flat.
    /// @throws InvalidInput  unless mu > 0
    double misfit(double regularizer) const;

    /// Computes the errors e_A of the training rows of each structure A, and their leave-one-out errors (structure A
    /// not in the training set), (I - K_AA W_A)^-1 e_A with K = X H^-1 X^T.
    ///
    /// @param rows          (n, size of the accumulator), not multiplied by the root of their weights
    /// @param targets       (n,)
    /// @param weights       (n,)
    /// @param structures    (n,) index of the structure of each row; the rows of a structure are consecutive
    /// @param regularizers  the values of mu, each > 0
    /// @param residuals     (n, regularizers.size) the errors: target minus prediction
    /// @param left_out      (n, regularizers.size) the leave-one-out errors; NaN if the structure alone determines a
    /// direction, that is, if an eigenvalue of its leverage is within 1e-8 of one
    /// @throws InvalidInput  as HessianAccumulator::add_labelled(), and unless mu > 0
    void leave_one_out(
        ConstMatrixView rows, ConstVectorView targets, ConstVectorView weights, const std::vector<Index>& structures,
        ConstVectorView regularizers, MatrixView residuals, MatrixView left_out, int n_threads = 0
    ) const;

private:
    std::shared_ptr<const SpectrumState> state_;
};

}  // namespace lpr_fast
