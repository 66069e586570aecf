#pragma once

#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Radial integrals of a SOAP basis, cutoff function and density scaling included, as polynomials on cells of the
/// distance. Python samples them from featomic, whose parameters define them.
struct RadialTable {
    std::vector<Index> angular{};        ///< l, ascending
    std::vector<Index> n_radial{};       ///< radial functions of each l
    std::vector<double> edges{};         ///< (n_cells + 1,), from 0 to the cutoff
    std::vector<double> coefficients{};  ///< (n_cells, 6, sum of n_radial): of t^0 ... t^5, t from -1 to 1 in a cell
    std::vector<double> center{};  ///< (n_radial of l = 0,): what an atom adds to the coefficients of its own species
    double error = 0.0;            ///< largest distance from what was sampled, in units of its largest value
    double scatter = 0.0;          ///< of what was sampled, in the same units
};

}  // namespace lpr_fast
