// Prints the quadratic forms, or what the library says of a mistake.

#include "problem.hpp"

int main(int n_arguments, char**) {
    try {
        print(quadratic_forms({}));
        if (n_arguments > 1) lpr_fast::HessianAccumulator(0);
    } catch (const lpr_fast::InvalidInput& error) {
        std::fprintf(stderr, "lpr_fast %s: %s\n", LPR_FAST_VERSION, error.what());
        return 1;
    }
}
