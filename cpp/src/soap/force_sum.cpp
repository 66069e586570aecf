#include "soap/force_sum.hpp"

#include <cmath>

namespace lpr_fast {

void ForceShare::clear(Index n_functions) {
    n_functions_ = n_functions;
    atoms_.clear();
    gradient_.clear();
    strain_.assign(at(9 * n_functions), 0.0);
    exponent = 0.0;
    value = 0.0;
}

double* ForceShare::of_atom(std::int32_t atom, AtomSlots& slots) {
    // A slot is valid if the atom stored there is this one, so slots need not be reset between shares.
    if (at(atom) >= slots.size()) slots.resize(at(atom) + 1);
    std::size_t& slot = slots[at(atom)];
    const std::size_t size = at(3 * n_functions_);
    if (slot >= atoms_.size() || atoms_[slot] != atom) {
        slot = atoms_.size();
        atoms_.push_back(atom);
        gradient_.resize(gradient_.size() + size, 0.0);
    }
    return gradient_.data() + slot * size;
}

void ForceShare::add(const Environment& environment, WayBack& way, Index k, bool with_strain, AtomSlots& slots) {
    Vector3 of_center{};
    for (Index j = 0; j < environment.count(); ++j) {
        const Vector3 gradient = way.gradient(j);
        double* of_neighbour = of_atom(environment.atoms[at(j)], slots) + 3 * k;
        for (std::size_t x = 0; x < 3; ++x) of_neighbour[x] += gradient[x], of_center[x] -= gradient[x];
    }
    double* center = of_atom(environment.center, slots) + 3 * k;
    for (std::size_t x = 0; x < 3; ++x) center[x] += of_center[x];
    if (with_strain) way.add_strain(environment, strain_.data() + 9 * k);
}

ForceSum::ForceSum(MatrixView forces, MatrixView virials, Index n_functions)
    : forces_(forces), virials_(virials), n_functions_(n_functions) {
    for (Index i = 0; i < forces.rows; ++i) std::fill_n(forces.row(i), 3, 0.0);
    for (Index i = 0; i < virials.rows; ++i) std::fill_n(virials.row(i), 3, 0.0);
}

void ForceSum::add(const ForceShare& share) {
    // The sum is rescaled to a share only if their scales are far apart, so it is multiplied a few times at most.
    constexpr double far_apart = 300.0;
    if (std::isinf(share.exponent)) return;
    if (share.exponent > exponent_ + far_apart) {
        if (!std::isinf(exponent_)) multiply(std::exp(exponent_ - share.exponent));
        exponent_ = share.exponent;
    }
    const double scale = std::exp(share.exponent - exponent_);
    const Index n_atoms = forces_.rows / n_functions_, n = n_functions_;
    const double* gradient = share.gradient_.data();
    value_ += scale * share.value;
    for (const std::int32_t atom : share.atoms_)
        for (Index k = 0; k < n; ++k)
            for (Index x = 0; x < 3; ++x) forces_.row(k * n_atoms + atom)[x] -= scale * *gradient++;
    for (Index i = 0; i < 3 * virials_.rows; ++i) virials_.row(i / 3)[i % 3] -= scale * share.strain_[at(i)];
}

void ForceSum::multiply(double factor) {
    value_ *= factor;
    for (Index i = 0; i < forces_.rows; ++i)
        for (Index x = 0; x < 3; ++x) forces_.row(i)[x] *= factor;
    for (Index i = 0; i < virials_.rows; ++i)
        for (Index x = 0; x < 3; ++x) virials_.row(i)[x] *= factor;
}

}  // namespace lpr_fast
