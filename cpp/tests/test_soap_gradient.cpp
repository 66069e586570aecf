// Gradients of features and kernels against finite differences, with polynomials that vanish smoothly at the cutoff as
// radial functions.

#include <cmath>
#include <functional>
#include <vector>

#include "base/at.hpp"
#include "check.hpp"
#include "lpr_fast/gradient_rows.hpp"
#include "lpr_fast/soap.hpp"
#include "problems.hpp"

namespace test_soap_gradient {
namespace {

using namespace lpr_fast;
using namespace lpr_fast::testing;

constexpr double cutoff = 3.0;
const std::vector<int> known = {1, 6};

using Polynomial = std::vector<double>;

Polynomial product(const Polynomial& a, const Polynomial& b) {
    Polynomial out(a.size() + b.size() - 1, 0.0);
    for (std::size_t i = 0; i < a.size(); ++i)
        for (std::size_t j = 0; j < b.size(); ++j) out[i + j] += a[i] * b[j];
    return out;
}

/// Degrees with gaps between them, and numbers of functions that fill no vectors; (cutoff - r)^power (1 + (r - c)^2).
RadialTable table(int power = 3) {
    RadialTable table;
    table.angular = {0, 1, 4};
    table.n_radial = {3, 9, 5};
    table.edges = {0.0, 0.7, 1.1, 2.4, cutoff};
    table.center = {0.3, 0.2, 0.1};
    constexpr std::size_t n_channels = 17;
    for (std::size_t cell = 0; cell + 1 < table.edges.size(); ++cell) {
        const double half = 0.5 * (table.edges[cell + 1] - table.edges[cell]), middle = table.edges[cell] + half;
        std::vector<double> coefficients(6 * n_channels, 0.0);
        for (std::size_t n = 0; n < n_channels; ++n) {
            const double shift = middle - 0.17 * static_cast<double>(n);
            Polynomial p = {1.0 + shift * shift, 2.0 * shift * half, half * half};
            for (int i = 0; i < power; ++i) p = product(p, {cutoff - middle, -half});
            for (std::size_t k = 0; k < p.size(); ++k) coefficients[k * n_channels + n] = 0.1 * p[k];
        }
        table.coefficients.insert(table.coefficients.end(), coefficients.begin(), coefficients.end());
    }
    return table;
}

/// Six atoms in a skewed cell that is smaller than the cutoff along one vector. The last one is a ghost of unknown
/// species.
struct Frame {
    Array positions = Array(6, 3);
    std::vector<int> species = {1, 6, 6, 1, 6, 8};
    std::array<double, 9> cell = {2.5, 0.0, 0.0, 0.4, 3.4, 0.0, 0.0, 0.0, 0.0};

    Frame() {
        const Array random = random_array(6, 3, 1);
        for (Index i = 0; i < 6; ++i)
            for (Index k = 0; k < 3; ++k)
                positions(i, k) = 1.1 * static_cast<double>(i * (k + 1) % 4) + 0.1 * random(i, k);
    }

    Structure structure(double radius = cutoff) const {
        return {{positions.view(), species.data(), 5, cell, {true, true, false}}, known, radius};
    }
};

Array features_of(const Soap& soap, const Structure& structure) {
    Array features(structure.n_centers(), soap.n_features());
    soap.features({{&structure}}, {features.values.data(), features.rows, features.cols}, 1);
    return features;
}

double sum_of_products(const Array& a, const Array& b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
    return sum;
}

/// Derivative of f at zero, by finite differences of four values.
double difference(const std::function<double(double)>& f) {
    const double h = 1e-3;
    return (8.0 * (f(h) - f(-h)) - f(2.0 * h) + f(-2.0 * h)) / (12.0 * h);
}

void forces_and_virial_are_differences() {
    const Soap soap(table(), known);
    const Frame frame;
    const Array derivatives = random_array(5, soap.n_features(), 2);
    Array forces(6, 3), virial(3, 3);
    soap.gradient(frame.structure(), derivatives.view(), {forces.values.data(), 6, 3}, {virial.values.data(), 3, 3}, 2);
    for (Index i = 0; i < 6; ++i)
        for (Index k = 0; k < 3; ++k) {
            const double expected = difference([&](double h) {
                Frame moved = frame;
                moved.positions(i, k) += h;
                return -sum_of_products(features_of(soap, moved.structure()), derivatives);
            });
            CHECK(std::abs(forces(i, k) - expected) < 1e-7 * (1.0 + std::abs(expected)));
        }
    const double expected = difference([&](double h) {
        Frame sheared = frame;
        for (Index i = 0; i < 6; ++i) sheared.positions(i, 1) += h * sheared.positions(i, 0);
        for (std::size_t k = 0; k < 3; ++k) sheared.cell[3 * k + 1] += h * sheared.cell[3 * k];
        return -sum_of_products(features_of(soap, sheared.structure()), derivatives);
    });
    CHECK(std::abs(virial(0, 1) - expected) < 1e-7 * (1.0 + std::abs(expected)));
    Array without(6, 3);
    soap.gradient(frame.structure(), derivatives.view(), {without.values.data(), 6, 3});
    CHECK(without.values == forces.values);
}

double power(double base, int exponent) {
    double out = 1.0;
    for (int i = 0; i < exponent; ++i) out *= base;
    return out;
}

/// Sum of (x_i . x_m)^3 over the centers of the species of m.
double sum_of_kernels(const Soap& soap, const Frame& frame, const Array& active, Index m, Index first_of_second) {
    const Array features = features_of(soap, frame.structure());
    double sum = 0.0;
    for (Index i = 0; i < features.rows; ++i) {
        if (frame.species[at(i)] != known[m < first_of_second ? 0 : 1]) continue;
        double product = 0.0, squared = 0.0;
        for (Index k = 0; k < features.cols; ++k)
            product += features(i, k) * active(m, k), squared += features(i, k) * features(i, k);
        sum += power(product / std::sqrt(squared), 3);
    }
    return sum;
}

void rows_of_kernels_are_differences() {
    const Soap soap(table(), known);
    const Frame frame;
    const Array active = positive_rows(40, soap.n_features(), 3);
    const KernelGradients kernels(soap, active.view(), {0, 35, 40}, 3.0);
    Array forces(18, 40), virials(6, 40);
    kernels.rows(frame.structure(), {{forces.values.data(), 18, 40}, {virials.values.data(), 6, 40}, nullptr}, 2);
    for (const Index m : {0, 34, 35, 39}) {
        for (Index row = 0; row < 18; ++row) {
            const double expected = -difference([&](double h) {
                Frame moved = frame;
                moved.positions(row / 3, row % 3) += h;
                return sum_of_kernels(soap, moved, active, m, 35);
            });
            CHECK(std::abs(forces(row, m) - expected) < 1e-7 * (1.0 + std::abs(expected)));
        }
        const double expected = -difference([&](double h) {
            Frame sheared = frame;
            for (Index i = 0; i < 6; ++i) sheared.positions(i, 1) += h * frame.positions(i, 0);
            for (std::size_t k = 0; k < 3; ++k) sheared.cell[3 * k + 1] += h * frame.cell[3 * k];
            return sum_of_kernels(soap, sheared, active, m, 35);
        });
        CHECK(std::abs(virials(5, m) - expected) < 1e-7 * (1.0 + std::abs(expected)));
    }
    Array some(6, 40);
    const std::vector<Index> atoms{3, 1};
    kernels.rows(frame.structure(), {{some.values.data(), 6, 40}, {}, &atoms}, 1);
    for (Index i = 0; i < 6; ++i)
        for (Index m = 0; m < 40; ++m) CHECK(some(i, m) == forces(3 * atoms[at(i / 3)] + i % 3, m));
}

void rows_of_features_are_sums_of_jacobians() {
    const Soap soap(table(), known);
    const Frame frame;
    const Structure structure = frame.structure();
    const Index n_features = soap.n_features();
    Array forces(18, 2 * n_features);
    feature_gradients(soap, structure, {{forces.values.data(), 18, 2 * n_features}, {}, nullptr}, 2);
    for (Index atom = 0; atom < 6; ++atom) {
        const FeatureJacobians jacobians = feature_jacobians(soap, structure, atom);
        Array expected(3, 2 * n_features);
        const double* values = jacobians.values.data();
        for (const Index center : jacobians.centers)
            for (Index k = 0; k < 3; ++k)
                for (Index i = 0; i < n_features; ++i)
                    expected(k, (frame.species[at(center)] == known[0] ? 0 : n_features) + i) -= *values++;
        for (Index k = 0; k < 3; ++k)
            for (Index i = 0; i < 2 * n_features; ++i)
                CHECK(std::abs(forces(3 * atom + k, i) - expected(k, i)) < 1e-12);
    }
    CHECK_THROWS(InvalidInput, "atom", feature_jacobians(soap, structure, 6));
}

void what_is_not_differentiable_is_refused() {
    const Frame frame;
    Array forces(6, 3);
    const MatrixView out(forces.values.data(), 6, 3);
    const auto gradient = [&](const RadialTable& radial, double radius) {
        const Soap soap(radial, known);
        const Array derivatives(5, soap.n_features());
        soap.gradient(frame.structure(radius), derivatives.view(), out);
        return 0;
    };
    CHECK_THROWS(InvalidInput, "is a step", gradient(table(0), cutoff));
    RadialTable hollow = table();
    hollow.center = {0.0, 0.0, 0.0};
    CHECK_THROWS(InvalidInput, "center_atom_weight is 0", gradient(hollow, cutoff));
    CHECK_THROWS(InvalidInput, "was made for other species, or another cutoff", gradient(table(), 2.5));
}

void derivatives_that_are_no_numbers_are_refused() {
    const Soap soap(table(), known);
    const Frame frame;
    Array derivatives(5, soap.n_features()), forces(6, 3);
    derivatives(2, 1) = std::nan("");
    const MatrixView out(forces.values.data(), 6, 3);
    CHECK_THROWS(InvalidInput, "row 2", (soap.gradient(frame.structure(), derivatives.view(), out), 0));
}

const Tests tests("soap_gradient", [] {
    run("forces and virial are differences", forces_and_virial_are_differences);
    run("rows of kernels are differences", rows_of_kernels_are_differences);
    run("rows of features are sums of jacobians", rows_of_features_are_sums_of_jacobians);
    run("what is not differentiable is refused", what_is_not_differentiable_is_refused);
    run("derivatives that are no numbers are refused", derivatives_that_are_no_numbers_are_refused);
});

}  // namespace
}  // namespace test_soap_gradient
