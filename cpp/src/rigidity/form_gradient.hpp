#pragma once

#include "rigidity/quadratic_form.hpp"

namespace lpr_fast {

/// f = phi^T H^-1 phi, or f_held, while held predictions stay fixed.
enum class Form { plain, held };

/// Quadratic forms of one tile, their gradients, and scratch memory.
struct FormGradients {
    std::vector<QuadraticForm> forms;  ///< f of each column, with the bits of the scores
    AlignedBuffer solved;              ///< R^-1 R^-T phi, in reversed order
    AlignedBuffer gradients;           ///< (df / dphi) / 2, strips of the shape of phi
    AlignedBuffer along;               ///< components of R^-T phi along the held directions
};

// A smaller f has an LPR above 1e140, which cannot be distinguished from infinity: its gradient counts as zero.
inline constexpr double smallest_form_with_gradient = 1e-140;

/// Computes f and half its gradient for `count` columns of strips of `depth` rows. Form::held needs a factor that holds
/// predictions. The bits of a column depend on the factor and the column alone.
void write_form_gradients(
    const FactorState& factor, Form form, const double* strips, Index depth, Index count, Workspace& workspace,
    FormGradients& out
);

}  // namespace lpr_fast
