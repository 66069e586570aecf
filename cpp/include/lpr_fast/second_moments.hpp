#pragma once

#include <memory>
#include <optional>

#include "lpr_fast/hessian_factor.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

struct SecondMomentsState;

/// Which variances are summed.
enum class Freedom {
    whole,  ///< f = phi^T H^-1 phi
    held,   ///< f_held, while held predictions stay fixed: see HessianFactor::holding()
};

/// G = sum_i w_i z_i z_i^T over rows of phi, with z = R^-T phi. Quantities that are linear in the variances of many
/// environments follow from G, for any number of environments. For instance, a new training row x of weight w, with
/// z_x = R^-T x, lowers sum_i w_i f_i by w z_x^T G z_x / (1 + w |z_x|^2) (Sherman-Morrison).
///
/// Rows are added in batches. They are summed in chunks of fixed size, so the bits depend on the rows and their order,
/// but not on batches and threads. A row costs about size()^2 multiplications and additions, half of them for z. Memory
/// is that of G and one chunk.
class SecondMoments {
public:
    /// @param factor   of H
    /// @param freedom  which variances are summed
    /// @throws InvalidInput  for Freedom::held with a factor that holds nothing or was restricted
    explicit SecondMoments(HessianFactor factor, Freedom freedom = Freedom::whole);
    SecondMoments(SecondMoments&&) noexcept;
    SecondMoments& operator=(SecondMoments&&) noexcept;
    ~SecondMoments();

    /// Adds rows of phi.
    /// @param phi      (n, factor.size())
    /// @param weights  (n,) w_i, finite and not negative; all one if not given
    /// @throws InvalidInput  as HessianAccumulator::add(); then nothing is added
    void add(ConstMatrixView phi, std::optional<ConstVectorView> weights = std::nullopt, int n_threads = 0);

    /// Writes G of all rows so far, both triangles.
    /// @param out  (size(), size())
    void sum(MatrixView out, int n_threads = 0) const;

    /// Number of columns of R.
    Index size() const;
    /// Number of rows added so far.
    Index n_rows() const;

private:
    std::unique_ptr<SecondMomentsState> state_;
};

}  // namespace lpr_fast
