#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lpr_fast/hessian_accumulator.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

struct FactorState;

/// Where the numbers that follow from f = phi^T H^-1 phi go, one for each row of phi. What has no data is not computed.
/// They are right wherever float64 can hold them, even if it cannot hold f; beyond its range they are zero or infinite.
struct FormScores {
    VectorView lpr{};       ///< 1 / f
    VectorView variance{};  ///< scale * f
    VectorView lpr_held{};  ///< 1 / f under the condition that the held rows do not change: see holding()
    double scale = 1.0;     ///< finite and positive
};

/// What a factor holds fixed, as a file keeps it: see HessianFactor::holding().
struct HeldParts {
    ConstMatrixView rows{};        ///< (q, size), none in a factor that was restricted
    ConstMatrixView directions{};  ///< (n, columns().size()), orthonormal rows
    ConstVectorView left{};        ///< (n,) of the square along each direction, from 0 to 1
};

/// Upper-triangular R with R^T R = H, and the numbers that follow from it: LPR_i = 1 / |R^-T phi_i|^2.
///
/// Immutable and cheap to copy; any number of threads may use one object at the same time. Results do not depend on the
/// number of threads, nor on how the rows of phi are cut into calls.
class HessianFactor {
public:
    /// @param state  for the library's own use: see factorize() and factorize_hessian()
    explicit HessianFactor(std::shared_ptr<const FactorState> state);

    /// A factor from its parts, as triangle() and columns() give them.
    /// @param condition_number  0 to have it estimated
    /// @throws InvalidInput  unless the triangle is finite, zero below its diagonal and positive on it
    static HessianFactor from_triangle(
        Index size, std::vector<Index> columns, ConstMatrixView triangle, double condition_number, double error_estimate
    );

    /// phi^T H^-1 phi for every row of phi.
    /// @param phi  (n, size); n = 0 is allowed
    /// @param out  (n,)
    /// @throws InvalidInput  for NaN, infinity or entries above 1e140 in phi (naming the row) and for shapes that do
    /// not fit
    void quadratic_forms(ConstMatrixView phi, VectorView out, int n_threads = 0) const;

    /// LPR, variance, or both in one go, of every row of phi, as quadratic_forms().
    void score(ConstMatrixView phi, const FormScores& scores, int n_threads = 0) const;

    /// scale * phi_a^T H^-1 phi_b for every pair of rows, right wherever float64 can hold it.
    /// @param scale  finite and positive
    /// @param out    (phi_a.rows, phi_b.rows)
    void covariance(
        ConstMatrixView phi_a, ConstMatrixView phi_b, double scale, MatrixView out, int n_threads = 0
    ) const;

    /// z = R^-T phi for every row of phi, so that z_a . z_b = phi_a^T H^-1 phi_b. What float64 cannot hold becomes zero
    /// or infinite.
    /// @param out  (phi.rows, columns().size())
    void whitened(ConstMatrixView phi, MatrixView out, int n_threads = 0) const;

    /// The same with what is held taken off: z_a . z_b is then the covariance under the condition that the held rows'
    /// predictions do not change, |z|^2 = f_held. Zero for rows that are held themselves, as lpr_held is infinite.
    /// @throws InvalidInput  for a factor that holds nothing, or was restricted
    void whitened_held(ConstMatrixView phi, MatrixView out, int n_threads = 0) const;

    /// The factor for phi that vanish outside `columns`: same numbers, columns.size()^2 instead of size^2 work. Exact,
    /// and as accurate as the whole: the chosen columns of R^-T are triangularised, not R in another order.
    /// @throws InvalidInput  for an empty list, repeated columns, or columns outside [0, size)
    HessianFactor restrict_to(const std::vector<Index>& columns, int n_threads = 0) const;

    /// The same factor, which holds the predictions rows * c fixed besides: f_held = |P R^-T phi|^2, where P projects
    /// off the span of R^-T rows^T, is the limit of phi^T H^-1 phi as the rows become data of infinite weight. No
    /// weight is used: nothing is lost to large numbers. Everything else has the bits that it had. restrict_to() keeps
    /// what is held.
    /// @param rows  (q, size), q >= 1: for instance the mean of phi over the environments of each species
    /// @throws InvalidInput  as quadratic_forms(), and for rows that all vanish on columns()
    HessianFactor holding(ConstMatrixView rows) const;

    /// The same factor with what held() gave.
    /// @throws InvalidInput  for parts that do not fit
    HessianFactor with_held(const HeldParts& parts) const;

    /// Whether there is anything held.
    bool holds() const;
    /// What is held. Belongs to the factor.
    HeldParts held() const&;
    HeldParts held() const&& = delete;

    /// The factor of H + rows^T W rows, which holds what this one holds. Rows may come in several updates, one after
    /// the other: the bits are those of one, for which the factor keeps what the first of them started from, and up to
    /// 4 * size + 256 of the rows.
    /// @throws InvalidInput  as HessianAccumulator::add, and for a factor that holds something and was restricted
    HessianFactor updated(
        ConstMatrixView rows, std::optional<ConstVectorView> weights = std::nullopt, int n_threads = 0
    ) const;

    /// The same with all rows that an accumulator has seen: without updates before, the bits are those of its rows.
    /// @param rows  of the factor's size, by Method::qr and without targets
    /// @throws InvalidInput  for any other accumulator, and for a factor that holds something and was restricted
    HessianFactor updated(const HessianAccumulator& rows, int n_threads = 0) const;

    /// Number of columns of phi.
    Index size() const;
    /// Column j of the triangle stands for column columns()[j] of phi; those left out are redundant active points.
    const std::vector<Index>& columns() const&;
    const std::vector<Index>& columns() const&& = delete;
    Index n_dropped() const;
    /// Estimate of the 2-norm condition number of R (the square root of that of H).
    double condition_number() const;
    /// Estimate of the largest relative error that rounding leaves in quadratic_forms, for Method::gram and dense
    /// Hessians; NaN for Method::qr, whose errors are those that one ulp of the inputs causes.
    double error_estimate() const;
    /// R, row-major, of size n = columns().size(); the part below the diagonal is zero.
    ConstMatrixView triangle() const&;
    ConstMatrixView triangle() const&& = delete;

    /// For the library's own use.
    const FactorState& state() const { return *state_; }

private:
    std::shared_ptr<const FactorState> state_;
};

/// Factor of H = rows^T W rows + regularizer * prior.
///
/// With Method::qr H is never formed: R comes from a QR of the accumulated square root stacked on that of the prior.
/// Active points that a pivoted Cholesky of the prior, scaled to unit diagonal, finds redundant to size * eps, and
/// about which the training rows say nothing either, are dropped. With Method::gram H is formed and factorised by
/// Cholesky, and error_estimate() says what that cost.
///
/// @param regularizer  mu > 0
/// @param prior        (size, size), symmetric positive semidefinite, for instance K_MM; the identity when not given
/// @throws InvalidInput         no rows, a regularizer that is not positive, a prior that is not symmetric or not
/// finite
/// @throws NotPositiveDefinite  a prior with a negative eigenvalue; Method::gram on a problem too ill-conditioned for
/// it
HessianFactor factorize(
    const HessianAccumulator& accumulator, double regularizer, std::optional<ConstMatrixView> prior = std::nullopt,
    int n_threads = 0
);

/// A factor, and the weights of the model.
struct Fit {
    HessianFactor factor;
    /// c that minimises sum_A w_A (y_A - X_A c)^2 + regularizer * c^T prior c, of length size, zero for dropped
    /// columns; empty unless the rows were labelled. From the same QR, never from the normal equations (Method::qr).
    std::vector<double> weights;
};

/// factorize(), and the weights that predict the targets of labelled rows. The factor has the same bits with and
/// without targets.
Fit fit(
    const HessianAccumulator& accumulator, double regularizer, std::optional<ConstMatrixView> prior = std::nullopt,
    int n_threads = 0
);

/// Factor of the prior itself, on its independent columns, by Cholesky with complete pivoting: k^T P^-1 k for the
/// residual k(i,i) - k_Mi^T K_MM^-1 k_Mi.
/// @param prior  symmetric positive semidefinite
/// @throws NotPositiveDefinite  a prior with a negative eigenvalue, or zero
HessianFactor factorize_prior(ConstMatrixView prior, int n_threads = 0);

/// Factor of hessian + regularizer * I, by Cholesky.
/// @param hessian      (size, size), symmetric
/// @param regularizer  >= 0
/// @throws NotPositiveDefinite  naming the smallest eigenvalue and a regularizer that would suffice
HessianFactor factorize_hessian(ConstMatrixView hessian, double regularizer, int n_threads = 0);

}  // namespace lpr_fast
