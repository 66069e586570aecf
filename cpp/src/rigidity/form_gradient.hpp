#pragma once

#include "rigidity/quadratic_form.hpp"

namespace lpr_fast {

/// f = phi^T H^-1 phi, or what is left of it with a factor's held rows fixed.
enum class Form { plain, held };

/// Room for forms of one tile and their gradients.
struct FormGradients {
    std::vector<QuadraticForm> forms;  ///< f of every column, with the bits that scores have
    AlignedBuffer solved;              ///< R^-1 R^-T phi, in reversed order
    AlignedBuffer gradients;           ///< df / dphi over 2, strips like those of phi
    AlignedBuffer along;               ///< parts of R^-T phi along what is held
};

// What lies below has an LPR above 1e140, which nothing tells from an infinite one: its gradient counts as zero.
inline constexpr double smallest_form_with_gradient = 1e-140;

/// f and half its gradient, for `count` columns of strips of `depth` rows; for a factor that holds rows where
/// Form::held is asked for. The bits of a column depend on the factor and on itself alone.
void write_form_gradients(
    const FactorState& factor, Form form, const double* strips, Index depth, Index count, Workspace& workspace,
    FormGradients& out
);

}  // namespace lpr_fast
