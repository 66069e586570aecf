#pragma once

#include "hot/soap.hpp"

namespace lpr_fast {

/// A pair of neighbour species, and the derivatives of some f with respect to its features.
struct SoapPairGradient {
    const double* first;  ///< expansions, aligned
    const double* second;
    bool is_folded;
    const double* derivatives;  ///< as SoapPair::features
    double* first_gradient;     ///< of expansions: what f owes to this pair is added
    double* second_gradient;
};

/// Vectors that belong to neighbours.
struct SoapVectors {
    double* x;
    double* y;
    double* z;
};

/// The way back from features to neighbours, compiled once per instruction set.
struct HotSoapGradient {
    /// HotSoap::expand, which also keeps what density() needs.
    /// @param kept  for each soap_chunk of neighbours soap_chunk * (1 + (largest_l + 1)^2 + 2 n_blocks * width) numbers
    void (*expand)(const SoapBasis& basis, const SoapNeighbours& neighbours, double* kept, double* expansion);

    /// From derivatives with respect to features to those with respect to expansions.
    void (*spectrum)(const SoapBasis& basis, const SoapPairGradient& pair);

    /// From derivatives with respect to an expansion to those with respect to the vectors to its neighbours.
    /// @param kept      what expand() left there
    /// @param gradient  (n_rows, width)
    /// @param scratch   (n_rows + (largest_l + 1)^2) * width numbers, aligned
    /// @param out       room for `width` more than there are neighbours
    void (*density)(
        const SoapBasis& basis, const SoapNeighbours& neighbours, const double* kept, const double* gradient,
        double* scratch, const SoapVectors& out
    );

    /// Adds the sum over neighbours of vectors (x) gradients, (3, 3) row by row.
    void (*add_strain)(const SoapNeighbours& neighbours, const SoapVectors& gradient, double* strain);

    /// Derivatives of an expansion with respect to the vectors to its neighbours.
    /// @param kept     what expand() left there
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
