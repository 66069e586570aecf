// Microseconds of a call from C++, with a factor of random numbers: linked to the library that the Python package
// brings.

#include <algorithm>
#include <chrono>
#include <numeric>
#include <random>
#include <vector>

#include "lpr_fast/lpr_fast.hpp"

extern "C" double microseconds_of_call(int size, int n_rows, int n_features, long calls) {
    using namespace lpr_fast;
    std::mt19937_64 generator(5);
    std::uniform_real_distribution<double> number(0.0, 1.0);
    const auto random = [&](Index count) {
        std::vector<double> values(static_cast<std::size_t>(count));
        for (double& value : values) value = number(generator);
        return values;
    };
    std::vector<double> triangle(static_cast<std::size_t>(size) * size, 0.0);
    for (int i = 0; i < size; ++i) triangle[static_cast<std::size_t>(i) * size + i] = 1.0 + number(generator);
    std::vector<Index> columns(static_cast<std::size_t>(size));
    std::iota(columns.begin(), columns.end(), Index{0});
    const auto factor = HessianFactor::from_triangle(size, columns, {triangle.data(), size, size}, 1.0, 0.0);
    const auto phi = random(Index{n_rows} * size);
    const auto active = random(Index{size} * std::max(1, n_features));
    const auto features = random(Index{n_rows} * std::max(1, n_features));
    const KernelScorer scorer({active.data(), size, std::max(1, n_features)}, 4.0, factor);
    std::vector<double> forms(static_cast<std::size_t>(n_rows));
    const auto call = [&] {
        if (n_features == 0) {
            factor.quadratic_forms({phi.data(), n_rows, size}, {forms.data(), n_rows}, 1);
        } else {
            scorer.score({features.data(), n_rows, n_features}, {{{}, {forms.data(), n_rows}}, {}, {}}, 1);
        }
    };
    call();
    const auto start = std::chrono::steady_clock::now();
    for (long i = 0; i < calls; ++i) call();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() /
           static_cast<double>(calls);
}
