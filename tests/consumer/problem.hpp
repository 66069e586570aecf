#pragma once

#include <cstdio>
#include <vector>

#include "lpr_fast/lpr_fast.hpp"

/// The problem of all drivers: structure rows, environments and a regularizer, from a formula that Python repeats.
struct Problem {
    static constexpr lpr_fast::Index n_rows = 60, n_environments = 70, size = 24;
    static constexpr double regularizer = 0.125;

    std::vector<double> rows = values(n_rows, 1);
    std::vector<double> phi = values(n_environments, 2);

    static std::vector<double> values(lpr_fast::Index n, unsigned state) {
        std::vector<double> made(static_cast<std::size_t>(n * size));
        for (double& value : made) {
            state = state * 1664525u + 1013904223u;
            value = state / 4294967296.0 - 0.5;
        }
        return made;
    }
};

/// phi^T H^-1 phi of all environments.
inline std::vector<double> quadratic_forms(const Problem& problem) {
    lpr_fast::HessianAccumulator accumulator(Problem::size);
    accumulator.add({problem.rows.data(), Problem::n_rows, Problem::size});
    const lpr_fast::HessianFactor factor = lpr_fast::factorize(accumulator, Problem::regularizer);
    std::vector<double> forms(static_cast<std::size_t>(Problem::n_environments));
    factor.quadratic_forms(
        {problem.phi.data(), Problem::n_environments, Problem::size}, {forms.data(), Problem::n_environments}
    );
    return forms;
}

inline void print(const std::vector<double>& forms) {
    for (const double form : forms) std::printf("%.17g\n", form);
}
