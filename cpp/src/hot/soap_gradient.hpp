#pragma once

#include "hot/soap.hpp"

namespace lpr_fast {

/// A pair of neighbour species, and the derivatives of some f with respect to its features.
struct SoapPairGradient {
    const double* first;  ///< expansions, aligned
    const double* second;
    bool is_folded;
    const double* derivatives;  ///< in the layout of SoapPair::features
    double* first_gradient;     ///< with respect to expansions; the contribution of this pair is added
    double* second_gradient;
};

/// One vector for each neighbour.
struct SoapVectors {
    double* x;
    double* y;
    double* z;
};

/// The innermost loops of derivatives, from features back to neighbours (the backward pass), compiled once per
/// instruction set.
struct HotSoapGradient {
    /// As HotSoap::expand; also keeps what density() and jacobian() need.
    /// @param kept  soap_chunk * (1 + (largest_l + 1)^2 + 2 n_blocks * width) numbers for each chunk of neighbours
    void (*expand)(const SoapBasis& basis, const SoapNeighbours& neighbours, double* kept, double* expansion);

    /// Computes derivatives with respect to expansions from those with respect to features.
    void (*spectrum)(const SoapBasis& basis, const SoapPairGradient& pair);

    /// Computes derivatives with respect to the vectors to neighbours from those with respect to their expansion.
    /// @param kept      output of expand()
    /// @param gradient  (n_rows, width)
    /// @param scratch   (n_rows + (largest_l + 1)^2) * width numbers, aligned
    /// @param out       memory for `width` vectors more than there are neighbours
    void (*density)(
        const SoapBasis& basis, const SoapNeighbours& neighbours, const double* kept, const double* gradient,
        double* scratch, const SoapVectors& out
    );

    /// strain(a, b) += sum over neighbours of vector_a gradient_b, (3, 3), row-major.
    void (*add_strain)(const SoapNeighbours& neighbours, const SoapVectors& gradient, double* strain);

    /// Derivatives of an expansion with respect to the vectors to its neighbours.
    /// @param kept     output of expand()
    /// @param scratch  3 (largest_l + 1)^2 * width numbers, aligned
    /// @param out      (neighbours.count, 3, n_rows, width), aligned
    void (*jacobian)(
        const SoapBasis& basis, const SoapNeighbours& neighbours, const double* kept, double* scratch, double* out
    );
};

extern const HotSoapGradient hot_soap_gradient_baseline;
extern const HotSoapGradient hot_soap_gradient_v3;
extern const HotSoapGradient hot_soap_gradient_v4;

}  // namespace lpr_fast
