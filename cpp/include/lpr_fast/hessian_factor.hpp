#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lpr_fast/hessian_accumulator.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

struct FactorState;

/// Outputs of HessianFactor::score(): one number for each row of phi, computed from f = phi^T H^-1 phi. An output
/// without data is not computed. The numbers are accurate wherever float64 can hold them, even if it cannot hold f;
/// beyond its range they are zero or infinite.
struct FormScores {
    VectorView lpr{};       ///< (n,) 1 / f
    VectorView variance{};  ///< (n,) scale * f
    VectorView lpr_held{};  ///< (n,) 1 / f_held, the LPR while held predictions stay fixed: see holding()
    double scale = 1.0;     ///< finite and positive; mu gives the variance in units of the prior variance
};

/// The held predictions of a factor, as a model file stores them: see HessianFactor::holding().
struct HeldParts {
    ConstMatrixView rows{};        ///< (q, size) held rows; none in a factor that was restricted
    ConstMatrixView directions{};  ///< (n, columns().size()) orthonormal rows
    ConstVectorView left{};        ///< (n,) share of |z|^2 that remains along each direction, from 0 to 1
};

/// Upper triangular R with R^T R = H, and the local prediction rigidity that follows from it: LPR_i =
/// 1 / (phi_i^T H^-1 phi_i) = 1 / |R^-T phi_i|^2 (Chong et al. 2023, doi:10.1021/acs.jctc.3c00704, Eq. 13 ff.).
///
/// Immutable and cheap to copy; any number of threads may use one object at the same time. Results depend neither on
/// the number of threads nor on the division of the rows of phi into calls.
class HessianFactor {
public:
    /// Internal: use factorize() or factorize_hessian().
    explicit HessianFactor(std::shared_ptr<const FactorState> state);

    /// A factor from its parts.
    /// @param size              number of columns of phi
    /// @param columns           as columns() gives them
    /// @param triangle          R, as triangle() gives it
    /// @param condition_number  of R; 0 to have it estimated
    /// @param error_estimate    as error_estimate() gives it; NaN if unknown
    /// @throws InvalidInput  unless the triangle is finite, zero below its diagonal and positive on it
    static HessianFactor from_triangle(
        Index size, std::vector<Index> columns, ConstMatrixView triangle, double condition_number, double error_estimate
    );

    /// Computes f = phi^T H^-1 phi for each row of phi.
    /// @param phi        (n, size); n = 0 is allowed
    /// @param out        (n,)
    /// @param n_threads  0: OMP_NUM_THREADS, or the cores in the affinity mask
    /// @throws InvalidInput  for NaN, infinity and entries above 1e140 in phi (naming the row), and wrong shapes
    void quadratic_forms(ConstMatrixView phi, VectorView out, int n_threads = 0) const;

    /// Computes LPR, variance and LPR with held predictions of each row of phi, those of them that have an output.
    /// @throws InvalidInput  as quadratic_forms(), and for lpr_held of a factor that holds nothing
    void score(ConstMatrixView phi, const FormScores& scores, int n_threads = 0) const;

    /// Computes scale * phi_a^T H^-1 phi_b for each pair of rows, accurate wherever float64 can hold it.
    /// @param scale  finite and positive; mu gives the covariance in units of the prior variance
    /// @param out    (phi_a.rows, phi_b.rows)
    /// @throws InvalidInput  as quadratic_forms()
    void covariance(
        ConstMatrixView phi_a, ConstMatrixView phi_b, double scale, MatrixView out, int n_threads = 0
    ) const;

    /// Computes z = R^-T phi for each row of phi, so that z_a . z_b = phi_a^T H^-1 phi_b. Numbers beyond the range of
    /// float64 become zero or infinite.
    /// @param out  (phi.rows, columns().size())
    /// @throws InvalidInput  as quadratic_forms()
    void whitened(ConstMatrixView phi, MatrixView out, int n_threads = 0) const;

    /// Computes the same under the constraint that held predictions stay fixed: z_a . z_b is the constrained
    /// covariance, and |z|^2 = f_held. Held rows themselves have z = 0, since their lpr_held is infinite.
    /// @throws InvalidInput  as quadratic_forms(), and for a factor that holds nothing or was restricted
    void whitened_held(ConstMatrixView phi, MatrixView out, int n_threads = 0) const;

    /// The factor for rows of phi that vanish outside `columns`. It gives the same numbers with columns.size()^2
    /// instead of size^2 operations for each row. It is as accurate as the whole factor, because the chosen columns of
    /// R^-T are triangularised; R is not reordered.
    /// @throws InvalidInput  for an empty list, repeated columns, and columns outside [0, size)
    HessianFactor restrict_to(const std::vector<Index>& columns, int n_threads = 0) const;

    /// The same factor, which also holds the predictions of `rows` fixed. With the projector P off the span of
    /// R^-T rows^T, f_held = |P R^-T phi|^2: the limit of phi^T H^-1 phi as the rows become data of infinite weight. No
    /// large weight is used, so no precision is lost. All other results keep their bits. restrict_to() keeps what is
    /// held.
    /// @param rows  (q, size), q >= 1: for instance the mean of phi over the environments of each species
    /// @throws InvalidInput  as quadratic_forms(), and if all rows vanish on columns()
    HessianFactor holding(ConstMatrixView rows) const;

    /// The same factor, holding what held() of another one gave.
    /// @throws InvalidInput  for parts of wrong shapes or values
    HessianFactor with_held(const HeldParts& parts) const;

    /// Whether the factor holds predictions fixed.
    bool holds() const;
    /// The held predictions. The arrays belong to the factor.
    HeldParts held() const&;
    HeldParts held() const&& = delete;

    /// The factor of H + rows^T W rows, which holds what this one holds. Several updates give the bits of one update
    /// with all rows. For this, the factor keeps its state before the first update and up to 4 * size + 256 rows.
    /// @param rows     (n, size)
    /// @param weights  (n,), >= 0; all one if not given
    /// @throws InvalidInput  as HessianAccumulator::add(), and for a factor that holds predictions and was restricted
    HessianFactor updated(
        ConstMatrixView rows, std::optional<ConstVectorView> weights = std::nullopt, int n_threads = 0
    ) const;

    /// The same with all rows of an accumulator. For a factor without earlier updates, the bits are those of updated()
    /// with these rows.
    /// @param rows  of the size of the factor, with Method::qr and without targets
    /// @throws InvalidInput  for any other accumulator, and for a factor that holds predictions and was restricted
    HessianFactor updated(const HessianAccumulator& rows, int n_threads = 0) const;

    /// Number of columns of phi.
    Index size() const;
    /// Column j of the triangle stands for column columns()[j] of phi. The missing columns are redundant active points.
    const std::vector<Index>& columns() const&;
    const std::vector<Index>& columns() const&& = delete;
    /// Number of redundant active points that were dropped: size() - columns().size().
    Index n_dropped() const;
    /// Estimate of the 2-norm condition number of R, the square root of that of H.
    double condition_number() const;
    /// Estimate of the largest relative rounding error in quadratic_forms(), for Method::gram and dense Hessians. NaN
    /// for Method::qr, whose errors are of the size that one ulp of the inputs causes.
    double error_estimate() const;
    /// R, (n, n) with n = columns().size(); zero below the diagonal. The array belongs to the factor.
    ConstMatrixView triangle() const&;
    ConstMatrixView triangle() const&& = delete;

    /// Internal.
    const FactorState& state() const { return *state_; }

private:
    std::shared_ptr<const FactorState> state_;
};

/// Factorises H = rows^T W rows + regularizer * prior.
///
/// With Method::qr, H is never formed: R comes from a QR of the accumulated square root stacked on that of the prior.
/// Redundant active points are dropped: those that depend on others to within size * eps, by a pivoted Cholesky of the
/// prior scaled to unit diagonal, and on which the training rows carry no information either. With Method::gram, H is
/// formed and factorised by Cholesky, and error_estimate() says how large the errors are.
///
/// @param accumulator  the training rows
/// @param regularizer  mu > 0
/// @param prior        (size, size), symmetric positive semidefinite, for instance K_MM; the identity if not given
/// @throws InvalidInput         for an accumulator without rows, a regularizer that is not positive, and a prior that
/// is not symmetric or not finite
/// @throws NotPositiveDefinite  for a prior with a negative eigenvalue, and if the problem is too ill-conditioned for
/// Method::gram
HessianFactor factorize(
    const HessianAccumulator& accumulator, double regularizer, std::optional<ConstMatrixView> prior = std::nullopt,
    int n_threads = 0
);

/// The factor of the Hessian, and the weights of the model.
struct Fit {
    HessianFactor factor;  ///< of H, as from factorize()
    /// (size,) the c that minimises sum_A w_A (y_A - X_A c)^2 + regularizer * c^T prior c; zero for dropped columns,
    /// and empty unless rows are labelled. With Method::qr they come from the same QR, not from the normal equations.
    std::vector<double> weights;
};

/// Factorises H as factorize() does, and computes the weights for labelled rows. The factor has the same bits with and
/// without targets. Throws as factorize().
Fit fit(
    const HessianAccumulator& accumulator, double regularizer, std::optional<ConstMatrixView> prior = std::nullopt,
    int n_threads = 0
);

/// Factorises the prior P itself on its independent columns, by Cholesky with complete pivoting. quadratic_forms() of
/// the factor gives k^T P^-1 k, for the residual k(i,i) - k_Mi^T K_MM^-1 k_Mi.
/// @param prior  (size, size), symmetric positive semidefinite
/// @throws InvalidInput         for a prior that is not symmetric or not finite
/// @throws NotPositiveDefinite  for a prior with a negative eigenvalue, and for zero
HessianFactor factorize_prior(ConstMatrixView prior, int n_threads = 0);

/// Factorises hessian + regularizer * I by Cholesky.
/// @param hessian      (size, size), symmetric
/// @param regularizer  >= 0
/// @throws InvalidInput         for a hessian that is not symmetric or not finite, and a negative regularizer
/// @throws NotPositiveDefinite  if the sum is not positive definite; names the smallest eigenvalue and a regularizer
/// that suffices
HessianFactor factorize_hessian(ConstMatrixView hessian, double regularizer, int n_threads = 0);

}  // namespace lpr_fast
