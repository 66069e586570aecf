#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// How the Hessian of the training rows is stored.
enum class Method {
    qr,    ///< as its triangular square root, by QR: as accurate as the inputs allow
    gram,  ///< as rows^T W rows: takes a seventh to a quarter of the time, for well-conditioned problems
};

struct AccumulatorState;

/// The training part of the Hessian, sum_A w_A X_A X_A^T, from rows X_A that are added in blocks of any size.
///
/// Memory is of order size^2 for any number of rows. With Method::qr the rows are collected in leaves of leaf_rows()
/// rows. Each full leaf is reduced to a triangular factor, and factors of equally many leaves are reduced pairwise, as
/// in a binary counter. The result therefore has the same bits for any division of the rows into calls and any number
/// of threads.
///
/// One thread at a time may use an object. A call that throws InvalidInput changes nothing. After any other exception,
/// such as out of memory, the state is lost and every later use throws. A moved-from object may only be assigned to or
/// destroyed.
class HessianAccumulator {
public:
    /// @param size      M, the number of weights of the model and of columns of a row, 1 <= M <= 2^24
    /// @param method    how the Hessian is stored
    /// @param labelled  whether every row comes with a target, so that fit() can compute the weights
    /// @throws InvalidInput  for a size out of range
    explicit HessianAccumulator(Index size, Method method = Method::qr, bool labelled = false);
    HessianAccumulator(const HessianAccumulator& other);
    HessianAccumulator(HessianAccumulator&& other) noexcept;
    HessianAccumulator& operator=(const HessianAccumulator& other);
    HessianAccumulator& operator=(HessianAccumulator&& other) noexcept;
    ~HessianAccumulator();

    /// Adds rows.
    /// @param rows       (n, size); n = 0 is allowed
    /// @param weights    (n,) weight w_A >= 0 of the squared error of each row; all one if not given
    /// @param n_threads  0: OMP_NUM_THREADS, or the cores in the affinity mask
    /// @throws InvalidInput  for NaN, infinity, entries above 1e140 and negative weights (naming the row), wrong
    /// shapes, and an accumulator made for labelled rows
    void add(ConstMatrixView rows, std::optional<ConstVectorView> weights = std::nullopt, int n_threads = 0);

    /// Adds rows with targets, the values that the model shall predict for them.
    /// @param targets  (n,)
    /// @throws InvalidInput  as add(), and for an accumulator not made for labelled rows
    void add_labelled(
        ConstMatrixView rows, ConstVectorView targets, std::optional<ConstVectorView> weights = std::nullopt,
        int n_threads = 0
    );

    /// Adds all rows of `other`. With Method::qr, the result has the bits of one accumulator that was given all rows in
    /// this order if n_rows() is a multiple of leaf_rows() times a power of two that is not smaller than the number of
    /// leaves in `other`.
    /// @throws InvalidInput  if size, method or labels differ, or the number of rows would overflow
    void merge(const HessianAccumulator& other, int n_threads = 0);

    /// M, the number of columns of a row.
    Index size() const;
    /// Number of rows added so far.
    Index n_rows() const;
    /// Number of rows whose weight is not zero.
    Index n_weighted() const;
    /// Sum of log w_A over the weights that are not zero.
    double sum_log_weights() const;
    /// min over c of sqrt(sum_A w_A (y_A - X_A c)^2): the training error that no weights of the model can remove. With
    /// Method::qr it is accurate to rounding of the targets. With Method::gram it is the difference of two sums of
    /// squares, so anything below sqrt(eps) times the norm of the targets is noise.
    /// @throws InvalidInput  unless rows are labelled
    double rest_norm(int n_threads = 0) const;
    /// How the Hessian is stored.
    Method method() const;
    /// Whether rows have targets.
    bool is_labelled() const;

    /// Number of rows that are reduced together.
    Index leaf_rows() const;

    /// The whole state, for files, pickles and messages between processes. It has a version and a checksum. Numbers are
    /// in the byte order of the machine; a machine of the other order refuses them.
    std::vector<std::uint8_t> to_bytes() const;

    /// The accumulator that to_bytes() wrote.
    /// @throws InvalidInput  for bytes that to_bytes() did not write
    static HessianAccumulator from_bytes(const std::uint8_t* bytes, std::size_t n_bytes);

    /// Internal.
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
