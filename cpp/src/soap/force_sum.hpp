#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "base/at.hpp"
#include "base/parallel.hpp"
#include "soap/environment.hpp"

namespace lpr_fast {

/// Number of centers whose forces are summed in one share. The shares are added in order, so the bits depend on this
/// number but not on threads.
inline constexpr Index centers_of_share = 24;

/// For each atom, its position in the share that it was last added to. One object for each thread.
using AtomSlots = std::vector<std::size_t>;

/// Derivatives of functions f_k with respect to strain and to the positions of atoms, stored for the atoms near some
/// centers. Its memory is reused.
class ForceShare {
public:
    /// Sets everything to zero.
    void clear(Index n_functions);

    /// Adds the derivatives of f_k with respect to the positions of a center and its neighbours.
    void add(const Environment& environment, WayBack& way, Index k, bool with_strain, AtomSlots& slots);

    // All numbers of the share are in units of e^exponent, because powers of scores may differ by many orders of
    // magnitude. -infinity: the share is zero.
    double exponent = 0.0;
    double value = 0.0;  ///< sum of the function values, if it is needed

private:
    friend class ForceSum;

    /// The derivatives of an atom, (n_functions, 3), initially zero. The pointer is valid until the next call.
    double* of_atom(std::int32_t atom, AtomSlots& slots);

    Index n_functions_ = 1;
    std::vector<std::int32_t> atoms_;
    std::vector<double> gradient_;  ///< (atoms, n_functions, 3)
    std::vector<double> strain_;    ///< (n_functions, 3, 3)
};

/// Sum of all shares: forces and virials, minus the derivatives.
class ForceSum {
public:
    /// @param forces   (n_functions n_atoms, 3)
    /// @param virials  (3 n_functions, 3); not computed without data
    ForceSum(MatrixView forces, MatrixView virials, Index n_functions);

    bool with_strain() const { return virials_.data != nullptr; }
    Index n_functions() const { return n_functions_; }

    /// Calls make(first, count, shares) for ranges of the shares of n_centers centers, on several threads, and adds the
    /// shares in order. Memory: a few ranges for each thread.
    /// @param most  largest number of centers in a range
    template <typename Make>
    void collect(Index n_centers, Index most, int n_threads, const Make& make);

    void multiply(double factor);

    double exponent() const { return exponent_; }
    double value() const { return value_; }

private:
    void add(const ForceShare& share);

    MatrixView forces_, virials_;
    Index n_functions_;
    double exponent_ = -std::numeric_limits<double>::infinity(), value_ = 0.0;
};

template <typename Make>
void ForceSum::collect(Index n_centers, Index most, int n_threads, const Make& make) {
    constexpr Index ranges_of_thread = 4;
    const Index threads = resolve_threads(n_threads);
    const Index n_shares = tile_count(n_centers, centers_of_share);
    // The number of ranges is a multiple of the number of threads.
    const Index of_thread = std::max<Index>(1, tile_count(n_shares, threads));
    const Index of_range = tile_count(of_thread, tile_count(of_thread * centers_of_share, most));
    const Index of_round = std::min(ranges_of_thread * threads * of_range, n_shares);
    std::vector<ForceShare> shares(at(of_round));
    for (Index begin = 0; begin < n_shares; begin += of_round) {
        const Index count = std::min(of_round, n_shares - begin);
        parallel_for_each(tile_count(count, of_range), static_cast<int>(threads), [&](Index task) {
            const Index first = task * of_range, n = std::min(of_range, count - first);
            for (Index i = first; i < first + n; ++i) shares[at(i)].clear(n_functions_);
            make(begin + first, n, shares.data() + first);
        });
        for (Index i = 0; i < count; ++i) add(shares[at(i)]);
    }
}

}  // namespace lpr_fast
