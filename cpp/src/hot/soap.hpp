#pragma once

#include <cstddef>
#include <cstdint>

namespace lpr_fast {

/// Radial functions of one l, side by side in a vector. Their part of an expansion is one such vector for each m.
struct SoapBlock {
    std::ptrdiff_t l;
    std::ptrdiff_t first_row;   ///< of its 2 l + 1 vectors in an expansion
    std::ptrdiff_t n_channels;  ///< numbers of the vector that are in use
};

/// The radial functions of one l, in consecutive blocks.
struct SoapDegree {
    std::ptrdiff_t l;
    std::ptrdiff_t n_radial;
    std::ptrdiff_t first_block;
    std::ptrdiff_t n_blocks;
    double factor;  ///< (-1)^l / sqrt(2 l + 1)
};

/// A radial table and all other constants of a basis, in the layout of the innermost loops.
struct SoapBasis {
    const double* edges;             ///< (n_cells + 1,), ascending from 0
    const double* middles;           ///< (n_cells,)
    const double* inverse_halves;    ///< (n_cells,), 1 / (half the width of the cell)
    const double* coefficients;      ///< (n_cells, n_blocks, degree + 1, width): of t^k with t in [-1, 1]
    const std::int32_t* first_cell;  ///< for each of the equal steps of the distance, the cell in which it begins
    double steps_per_length;
    const double* harmonics;  ///< recurrence of normalised Legendre functions, see soap/packed_basis.cpp
    const double* norms;      ///< ((l + 1)^2,): ratio of P_lm to the polynomial with leading coefficient 1
    const double* downwards;  ///< recurrence of these polynomials, in the order in which gradients use it
    const SoapBlock* blocks;
    const SoapDegree* degrees;
    std::ptrdiff_t n_blocks;
    std::ptrdiff_t n_degrees;
    std::ptrdiff_t largest_l;
    std::ptrdiff_t n_rows;  ///< vectors of an expansion
};

/// Degree of the polynomials of a radial table.
inline constexpr int table_degree = 5;

/// Number of neighbours that are expanded together.
inline constexpr std::ptrdiff_t soap_chunk = 32;

/// Coordinates of points. For `near`, `count` is a multiple of the width, and points that fill the last vector are far
/// away.
struct SoapPoints {
    const double* x;
    const double* y;
    const double* z;
    std::ptrdiff_t count;
};

/// Squared distances d with lowest <= d < limit.
struct SoapShell {
    double lowest;
    double limit;
};

/// Output of `near`: vectors to points, and the numbers of these points.
struct SoapFound {
    double* x;
    double* y;
    double* z;
    std::int32_t* number;
};

/// A box, given by its lowest and highest coordinates.
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
    bool is_folded;  ///< whether both species are the same: features (l, n1, n2) for n1 <= n2 only
    double* features;
};

/// The innermost loops of the SOAP power spectrum, compiled once per instruction set.
///
/// The lanes of a vector are neighbours in spherical harmonics, and radial functions in the expansion. The bits of the
/// results depend on the neighbours and their order alone.
struct HotSoap {
    std::ptrdiff_t width;  ///< numbers in a vector

    /// Vectors from a center to the points in a shell around it, in order, and the numbers of these points.
    /// @param found  memory for one vector more than there are points
    /// @returns the number of points found
    std::ptrdiff_t (*near)(
        const SoapPoints& points, const double* center, const SoapShell& shell, const SoapFound& found
    );

    /// Squared distances of points from a box. Addresses need not be aligned; whole vectors of squares are written.
    void (*box_squares)(const SoapPoints& points, const SoapBox& box, double* squares);

    /// Adds the density of neighbours to an expansion, (n_rows, width).
    /// @param scratch  soap_chunk * (1 + (largest_l + 1)^2 + n_blocks * width) numbers, aligned
    void (*expand)(const SoapBasis& basis, const SoapNeighbours& neighbours, double* scratch, double* expansion);

    /// Features of a pair of neighbour species: (-1)^l / sqrt(2 l + 1) sum over m of c_n1lm c_n2lm, times sqrt(2)
    /// except where both species and both n are equal.
    void (*spectrum)(const SoapBasis& basis, const SoapPair& pair);
};

extern const HotSoap hot_soap_baseline;
extern const HotSoap hot_soap_v3;
extern const HotSoap hot_soap_v4;

}  // namespace lpr_fast
