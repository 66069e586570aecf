#include "rigidity/quadratic_form.hpp"

namespace lpr_fast {

int take_exponent(Eigen::Ref<Vector> vector) {
    const double largest = vector.size() > 0 ? vector.cwiseAbs().maxCoeff() : 0.0;
    if (largest == 0.0 || !std::isfinite(largest)) return 0;
    const int exponent = std::ilogb(largest);
    // In two steps, because 2^-exponent may over- or underflow.
    const int half = exponent / 2;
    vector *= std::ldexp(1.0, -half);
    vector *= std::ldexp(1.0, half - exponent);
    return exponent;
}

int solve_beyond_range(const FactorState& factor, Eigen::Ref<Vector> phi) {
    const int exponent = take_exponent(phi);
    transposed_triangle(factor.triangle).solveInPlace(phi);
    return exponent + take_exponent(phi);
}

QuadraticForms form_beyond_range(const FactorState& factor, Eigen::Ref<Vector> phi) {
    if (phi.isZero(0.0)) return {{0.0, 0}, {0.0, 0}};
    const int exponent = solve_beyond_range(factor, phi);
    const double square = phi.squaredNorm();
    const double held = factor.held ? square_held(*factor.held, phi) : square;
    return {{square, 2 * exponent}, {beyond_rounding(held, square), 2 * exponent}};
}

}  // namespace lpr_fast
