#pragma once

#include <memory>
#include <optional>

#include "lpr_fast/hessian_factor.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

struct SecondMomentsState;

/// Whether predictions may move as they like, or those of the held rows are fixed: see HessianFactor::holding().
enum class Freedom { whole, held };

/// G = sum_i w_i z_i z_i^T over rows of phi, with z = R^-T phi: what is linear in the variances of many environments
/// follows from G, however many there are. A data row x of weight w, with z_x = R^-T x, lowers sum_i w_i f_i by
/// w z_x^T G z_x / (1 + w |z_x|^2).
///
/// Rows come batch by batch. They are summed in chunks by their number among all rows, so that the bits depend on the
/// rows and their order, but not on batches and threads. A row costs about size()^2 multiplications and additions, half
/// of them for z; memory is that of G and of one chunk.
class SecondMoments {
public:
    /// @throws InvalidInput  for Freedom::held and a factor that holds nothing, or was restricted
    explicit SecondMoments(HessianFactor factor, Freedom freedom = Freedom::whole);
    SecondMoments(SecondMoments&&) noexcept;
    SecondMoments& operator=(SecondMoments&&) noexcept;
    ~SecondMoments();

    /// @param phi      (n, factor.size())
    /// @param weights  w_i, finite and not negative; one when not given
    /// @throws InvalidInput  as HessianAccumulator::add; nothing is added then
    void add(ConstMatrixView phi, std::optional<ConstVectorView> weights = std::nullopt, int n_threads = 0);

    /// G of all rows so far, both of its triangles.
    /// @param out  (size(), size())
    void sum(MatrixView out, int n_threads = 0) const;

    /// Columns of R.
    Index size() const;
    Index n_rows() const;

private:
    std::unique_ptr<SecondMomentsState> state_;
};

}  // namespace lpr_fast
