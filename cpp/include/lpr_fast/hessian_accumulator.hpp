#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// How the Hessian of the training rows is kept.
enum class Method {
    qr,    ///< its square root, by QR: right to what the inputs allow
    gram,  ///< rows^T W rows itself: a seventh to a quarter of the time, for well-conditioned problems
};

struct AccumulatorState;

/// The training part of the Hessian, sum_A w_A X_A X_A^T, from rows X_A that come in blocks of any size.
///
/// Memory is of order size^2 however many rows come. With Method::qr the rows go through leaves of a fixed number of
/// rows; each full leaf is reduced to a triangular factor, and equal factors are reduced pairwise, as the bits of a
/// binary counter carry. The result is therefore the same to the last bit however the rows were cut into `add` calls
/// and whatever the number of threads.
///
/// An object may be used by one thread at a time. A call that throws InvalidInput leaves the object as it was; after
/// any other exception, as when memory runs out, its state is lost and every later use throws. A moved-from object may
/// only be assigned to or destroyed.
class HessianAccumulator {
public:
    /// @param size  number of weights of the model, 1 <= M <= 2^24
    /// @param labelled  whether every row comes with a target, so that fit() can find the weights
    explicit HessianAccumulator(Index size, Method method = Method::qr, bool labelled = false);
    HessianAccumulator(const HessianAccumulator& other);
    HessianAccumulator(HessianAccumulator&& other) noexcept;
    HessianAccumulator& operator=(const HessianAccumulator& other);
    HessianAccumulator& operator=(HessianAccumulator&& other) noexcept;
    ~HessianAccumulator();

    /// Adds rows of shape (n, size); n = 0 is allowed.
    /// @param weights    weight w_A >= 0 of every row's squared residual; all one when not given
    /// @param n_threads  0: OMP_NUM_THREADS, or the cores in the affinity mask
    /// @throws InvalidInput  for NaN, infinity, negative weights (naming the row) and shapes that do not fit
    void add(ConstMatrixView rows, std::optional<ConstVectorView> weights = std::nullopt, int n_threads = 0);

    /// Adds rows with the values that the model is to predict for them.
    /// @param targets  one for every row
    /// @throws InvalidInput  as add(), and for an accumulator that was not made for labelled rows
    void add_labelled(
        ConstMatrixView rows, ConstVectorView targets, std::optional<ConstVectorView> weights = std::nullopt,
        int n_threads = 0
    );

    /// Adds everything that `other` has seen. With Method::qr, when the number of rows seen so far is a multiple of
    /// leaf_rows() times a power of two not smaller than the number of leaves in `other`, the result has the bits of
    /// one accumulator that saw all rows in this order.
    /// @throws InvalidInput  when size, method or labels differ, or when the number of rows would overflow
    void merge(const HessianAccumulator& other, int n_threads = 0);

    Index size() const;
    Index n_rows() const;
    /// Rows whose weight is not zero.
    Index n_weighted() const;
    /// Sum of the logarithms of the weights that are not zero.
    double sum_log_weights() const;
    /// min over c of sqrt(sum_A w_A (y_A - X_A c)^2), what no weights of the model reach of the targets. With
    /// Method::qr right to rounding of the targets; with Method::gram the difference of two sums of squares, of which
    /// anything below sqrt(eps) times the norm of the targets is noise.
    /// @throws InvalidInput  unless rows are labelled
    double rest_norm(int n_threads = 0) const;
    Method method() const;
    bool is_labelled() const;

    /// Rows that are reduced together.
    Index leaf_rows() const;

    /// The whole state: for files, pickles and messages between processes. Versioned and with a checksum; numbers are
    /// in the byte order of the machine, and a machine of the other order refuses them.
    std::vector<std::uint8_t> to_bytes() const;

    /// @throws InvalidInput  for anything that to_bytes() did not write
    static HessianAccumulator from_bytes(const std::uint8_t* bytes, std::size_t n_bytes);

    /// For the library's own use.
    const AccumulatorState& state() const;

private:
    void add_rows(
        ConstMatrixView rows, std::optional<ConstVectorView> targets, std::optional<ConstVectorView> weights,
        int n_threads
    );
    template <typename Change>
    void change(const Change& change);

    std::unique_ptr<AccumulatorState> state_;
};

}  // namespace lpr_fast
