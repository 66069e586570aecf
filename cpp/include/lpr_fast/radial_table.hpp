#pragma once

#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Radial integrals of a SOAP basis, including cutoff function and density scaling, as piecewise polynomials of degree
/// 5 in the distance. Python samples them from featomic, whose parameters define them.
struct RadialTable {
    std::vector<Index> angular{};        ///< the values of l, ascending
    std::vector<Index> n_radial{};       ///< number of radial functions of each l
    std::vector<double> edges{};         ///< (n_cells + 1,) distances from 0 to the cutoff
    std::vector<double> coefficients{};  ///< (n_cells, 6, sum of n_radial) of t^0 ... t^5, where t is -1 to 1 in a cell
    std::vector<double> center{};        ///< (n_radial of l = 0,) contribution of a center to its own species
    double error = 0.0;                  ///< largest error of the polynomials, in units of the largest sampled value
    double scatter = 0.0;                ///< numerical noise of the samples, in the same units
};

}  // namespace lpr_fast
