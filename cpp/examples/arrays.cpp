// From rows of a training set to the rigidity of local predictions, without Python.

#include <cstdio>
#include <vector>

#include "lpr_fast/lpr_fast.hpp"

int main() {
    using namespace lpr_fast;

    // Two structures of two atoms each; X_A is the sum of phi over the atoms, here for a model of M = 3 weights.
    const std::vector<double> rows{1.0, 1.0, 0.0,   // an A atom and a B atom
                                   2.0, 0.0, 0.0};  // two A atoms
    HessianAccumulator accumulator(3);
    accumulator.add({rows.data(), 2, 3});

    const HessianFactor factor = factorize(accumulator, 1e-6);

    const std::vector<double> phi{1.0, 0.0, 0.0,   // A
                                  0.0, 1.0, 0.0,   // B
                                  0.0, 0.0, 1.0};  // an atom unlike any in the training set
    std::vector<double> forms(3);
    try {
        factor.quadratic_forms({phi.data(), 3, 3}, {forms.data(), 3});
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    for (const double form : forms) std::printf("LPR = %.3g\n", 1.0 / form);
}
