#pragma once

#include <cstddef>
#include <cstdint>

namespace lpr_fast {

/// Some radial functions of one l, side by side in a vector: what belongs to them in an expansion is a row of vectors,
/// one for each m.
struct SoapBlock {
    std::ptrdiff_t l;
    std::ptrdiff_t first_row;   ///< of its 2 l + 1 vectors in an expansion
    std::ptrdiff_t n_channels;  ///< numbers of a vector that are in use
};

/// The radial functions of one l, in blocks that follow one another.
struct SoapDegree {
    std::ptrdiff_t l;
    std::ptrdiff_t n_radial;
    std::ptrdiff_t first_block;
    std::ptrdiff_t n_blocks;
    double factor;  ///< (-1)^l / sqrt(2 l + 1)
};

/// A radial table and everything else about a basis, as the innermost loops take it.
struct SoapBasis {
    const double* edges;             ///< (n_cells + 1,), ascending from 0
    const double* middles;           ///< (n_cells,)
    const double* inverse_halves;    ///< (n_cells,), one over half the width
    const double* coefficients;      ///< (n_cells, n_blocks, degree + 1, width): of t^k with t in [-1, 1]
    const std::int32_t* first_cell;  ///< cell in which a step of the distance begins
    double steps_per_length;
    const double* harmonics;  ///< recurrence of normalised Legendre functions, see soap/packed_basis.cpp
    const double* norms;      ///< ((l + 1)^2,): P_lm over the polynomial whose highest power has the factor 1
    const double* downwards;  ///< recurrence of such polynomials in the order of the way back
    const SoapBlock* blocks;
    const SoapDegree* degrees;
    std::ptrdiff_t n_blocks;
    std::ptrdiff_t n_degrees;
    std::ptrdiff_t largest_l;
    std::ptrdiff_t n_rows;  ///< vectors of an expansion
};

/// Degree of the polynomials of a radial table.
inline constexpr int table_degree = 5;

/// Neighbours that are expanded together.
inline constexpr std::ptrdiff_t soap_chunk = 32;

/// Positions side by side. For `near`, `count` is a multiple of the width, and what fills it up is far away.
struct SoapPoints {
    const double* x;
    const double* y;
    const double* z;
    std::ptrdiff_t count;
};

/// Squares of distances from `lowest` to below `limit`.
struct SoapShell {
    double lowest;
    double limit;
};

/// Where vectors to points go, and the numbers of these.
struct SoapFound {
    double* x;
    double* y;
    double* z;
    std::int32_t* number;
};

/// A box, by the lowest and the highest of its coordinates.
struct SoapBox {
    double low[3];
    double high[3];
};

/// Vectors from a center to its neighbours of one species.
struct SoapNeighbours {
    const double* x;
    const double* y;
    const double* z;
    std::ptrdiff_t count;
};

/// One pair of neighbour species of a spectrum.
struct SoapPair {
    const double* first;  ///< expansions, aligned
    const double* second;
    bool is_folded;  ///< whether both are the same: (l, n1, n2) for n1 <= n2
    double* features;
};

/// The innermost loops of the SOAP power spectrum, compiled once per instruction set.
///
/// Neighbours stand in lanes while their spherical harmonics are computed, radial functions while they are expanded.
/// What comes of an environment depends on its neighbours and their order alone.
struct HotSoap {
    std::ptrdiff_t width;  ///< numbers in a vector

    /// Vectors from a center to the points in a shell around it, in order, and the numbers of these; returns how many.
    /// @param found  room for one vector more than there are points
    std::ptrdiff_t (*near)(
        const SoapPoints& points, const double* center, const SoapShell& shell, const SoapFound& found
    );

    /// Squares of the distances of points from a box; their addresses need not be aligned, and whole vectors of squares
    /// are written.
    void (*box_squares)(const SoapPoints& points, const SoapBox& box, double* squares);

    /// Adds the neighbours' density to an expansion, (n_rows, width).
    /// @param scratch  soap_chunk * (1 + (largest_l + 1)^2 + n_blocks * width) numbers, aligned
    void (*expand)(const SoapBasis& basis, const SoapNeighbours& neighbours, double* scratch, double* expansion);

    /// Features of a pair of neighbour species: (-1)^l / sqrt(2 l + 1) sum over m, times sqrt(2) but where species and
    /// n are equal.
    void (*spectrum)(const SoapBasis& basis, const SoapPair& pair);
};

extern const HotSoap hot_soap_baseline;
extern const HotSoap hot_soap_v3;
extern const HotSoap hot_soap_v4;

}  // namespace lpr_fast
