// Derivatives of predictions and scores with respect to features and positions, against finite differences.

#include <cmath>
#include <functional>
#include <limits>

#include "check.hpp"
#include "lpr_fast/soap_scorer.hpp"
#include "model/feature_derivatives.hpp"
#include "model_files.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_derivatives {
namespace {

/// Derivative of f at zero, by finite differences of four values.
double difference(const std::function<double(double)>& f, double h) {
    return (8.0 * (f(h) - f(-h)) - f(2.0 * h) + f(-2.0 * h)) / (12.0 * h);
}

constexpr Quantity quantities[] = {Quantity::lpr, Quantity::lpr_held, Quantity::variance, Quantity::residual};
constexpr VectorView Scores::* columns[] = {&Scores::lpr, &Scores::lpr_held, &Scores::variance, &Scores::residual};

bool gives(const ModelInfo& info, Quantity quantity) {
    if (quantity == Quantity::lpr_held) return info.has_held;
    return quantity != Quantity::residual || info.has_residual;
}

/// A score of one environment, by Model::score.
double score_of(const Model& model, const Array& features, Index row, int species, std::size_t column) {
    double score = 0.0;
    Scores scores;
    scores.*columns[column] = {&score, 1};
    model.score(features.rows_from(row, 1), &species, scores, 1);
    return score;
}

/// Compares the effect of a random change of the features of each environment with the derivatives of value and
/// logarithm.
void check_scores(const std::string& name, std::size_t column) {
    const Model model = Model::load(data_file(name + ".lpr"));
    if (!gives(model.info(), quantities[column])) {
        CHECK_THROWS(InvalidInput, "has no gradient", (check_quantity(model.info(), quantities[column]), 0));
        return;
    }
    const Environments given = read_environments(name);
    const Index n = given.features.rows, size = given.features.cols;
    const Array direction = random_array(n, size, 5);
    std::vector<double> values(static_cast<std::size_t>(n));
    Array derivatives(n, size), logarithmic(n, size);
    const FeatureRows rows{model.state(), given.features.view(), given.species.data()};
    const VectorView to{values.data(), n};
    rows.differentiate_scores(quantities[column], Of::value, to, {derivatives.values.data(), n, size});
    rows.differentiate_scores(quantities[column], Of::logarithm, to, {logarithmic.values.data(), n, size});
    for (Index i = 0; i < n; ++i) {
        const int species = given.species[static_cast<std::size_t>(i)];
        const double value = values[static_cast<std::size_t>(i)];
        CHECK(value == score_of(model, given.features, i, species, column));
        double along = 0.0, of_logarithm = 0.0, norm = 0.0;
        for (Index k = 0; k < size; ++k) {
            along += derivatives(i, k) * direction(i, k);
            of_logarithm += logarithmic(i, k) * direction(i, k);
            norm += given.features(i, k) * given.features(i, k);
        }
        // With kernels, only features of zeros have an infinite LPR.
        if (std::isinf(value) || (model.info().has_residual && norm == 0.0)) {
            CHECK(along == 0.0);
            continue;
        }
        const double length = norm > 0.0 ? std::sqrt(norm) : 1.0;
        const double expected = difference(
            [&](double h) {
                Array moved = given.features;
                for (Index k = 0; k < size; ++k) moved(i, k) += h * direction(i, k);
                return score_of(model, moved, i, species, column);
            },
            1e-4 * length
        );
        CHECK(std::abs(along - expected) <= 1e-6 * (value + std::abs(expected)) / length);
        CHECK(std::abs(of_logarithm * value - along) < 1e-12 * (1.0 + std::abs(along)));
    }
}

void scores_of_all_models_have_the_derivatives_of_differences() {
    for (const std::string& name : model_names)
        for (std::size_t column = 0; column < 4; ++column) check_scores(name, column);
}

void energies_of_all_models_have_the_derivatives_of_differences() {
    for (const std::string& name : model_names) {
        const Model model = Model::load(data_file(name + ".lpr"));
        const Environments given = read_environments(name);
        const Index n = given.features.rows, size = given.features.cols;
        const Array weights = random_array(2, model.info().size, 6), direction = random_array(n, size, 5);
        Array derivatives(2 * n, size);
        const auto energies_at = [&](double h) {
            Array moved = given.features, energies(n, 2);
            for (std::size_t k = 0; k < moved.values.size(); ++k) moved.values[k] += h * direction.values[k];
            const FeatureRows rows{model.state(), moved.view(), given.species.data()};
            rows.differentiate_energies(weights.view(), {energies.values.data(), n, 2}, {});
            return energies;
        };
        Array energies(n, 2);
        FeatureRows{model.state(), given.features.view(), given.species.data()}.differentiate_energies(
            weights.view(), {energies.values.data(), n, 2}, {derivatives.values.data(), 2 * n, size}
        );
        CHECK(energies.values == energies_at(0.0).values);
        for (Index i = 0; i < n; ++i)
            for (Index k = 0; k < 2; ++k) {
                double along = 0.0;
                bool is_zero = true;
                for (Index d = 0; d < size; ++d) {
                    along += derivatives(2 * i + k, d) * direction(i, d);
                    is_zero = is_zero && given.features(i, d) == 0.0;
                }
                // Features of zeros have no direction, so kernels are not differentiable there.
                if (is_zero) continue;
                const double expected = difference([&](double h) { return energies_at(h)(i, k); }, 1e-4);
                CHECK(std::abs(along - expected) < 1e-7 * (1.0 + std::abs(expected)));
            }
    }
}

/// Some atoms of both species of the model, in a box that is periodic along two vectors.
struct Frame {
    Array positions = random_array(12, 3, 3);
    std::vector<int> species;

    explicit Frame(const std::vector<int>& known) {
        for (Index i = 0; i < 12; ++i) {
            species.push_back(known[static_cast<std::size_t>(i) % known.size()]);
            for (Index k = 0; k < 3; ++k)
                positions(i, k) =
                    0.3 * positions(i, k) + 2.1 * static_cast<double>((i >> k) % 2 + (k == 2 ? i / 8 : 0));
        }
    }

    Structure structure(const SoapScorer& scorer) const {
        return {
            {positions.view(), species.data(), 9, {4.6, 0.0, 0.0, 0.5, 4.4, 0.0, 0.0, 0.0, 0.0}, {true, true, false}},
            scorer.soap().species(),
            scorer.cutoff()
        };
    }
};

void structures_have_the_forces_of_differences() {
    const SoapScorer scorer(Model::load(data_file("structures/soap.lpr")));
    const Frame frame(scorer.soap().species());
    const Array weights = random_array(3, scorer.model().info().size, 6);
    Array energies(9, 3), forces(36, 3), virials(9, 3);
    const Structure structure = frame.structure(scorer);
    scorer.predict(
        {&structure}, weights.view(),
        {{energies.values.data(), 9, 3}, {forces.values.data(), 36, 3}, {virials.values.data(), 9, 3}}, 2
    );
    for (Index k = 0; k < 3; ++k)
        for (const Index atom : {0, 8, 11}) {
            const double expected = -difference(
                [&](double h) {
                    Frame moved = frame;
                    moved.positions(atom, 1) += h;
                    Array of_moved(9, 3);
                    const Structure other = moved.structure(scorer);
                    scorer.predict({&other}, weights.view(), {{of_moved.values.data(), 9, 3}}, 1);
                    double sum = 0.0;
                    for (Index i = 0; i < 9; ++i) sum += of_moved(i, k);
                    return sum;
                },
                1e-3
            );
            CHECK(std::abs(forces(12 * k + atom, 1) - expected) < 1e-7 * (1.0 + std::abs(expected)));
        }
    CHECK_THROWS(
        InvalidInput, "give at least one",
        (scorer.predict({&structure}, ConstMatrixView{weights.values.data(), 0, weights.cols}, {}, 1), 0)
    );
}

void a_smooth_smallest_rigidity_has_the_forces_of_differences() {
    const SoapScorer scorer(Model::load(data_file("structures/soap.lpr")));
    const Frame frame(scorer.soap().species());
    std::vector<double> values(9);
    Array forces(12, 3);
    const auto smallest = [&](const Frame& at) {
        const Structure structure = at.structure(scorer);
        return scorer.score_gradient(
            {&structure}, {Quantity::lpr_held, {}, 20.0}, {{values.data(), 9}, {forces.values.data(), 12, 3}}, 1
        );
    };
    const double value = smallest(frame);
    const Array found = forces;
    double lowest = std::numeric_limits<double>::infinity();
    for (const double of_center : values) lowest = std::min(lowest, of_center);
    CHECK(value < lowest && value > 0.85 * lowest);
    for (const Index atom : {0, 8, 11}) {
        const double expected = -difference(
            [&](double h) {
                Frame moved = frame;
                moved.positions(atom, 2) += h;
                return smallest(moved);
            },
            1e-4
        );
        CHECK(std::abs(found(atom, 2) - expected) < 1e-6 * (value + std::abs(expected)));
    }
}

const Tests tests("derivatives", [] {
    run("scores of all models have the derivatives of differences",
        scores_of_all_models_have_the_derivatives_of_differences);
    run("energies of all models have the derivatives of differences",
        energies_of_all_models_have_the_derivatives_of_differences);
    run("structures have the forces of differences", structures_have_the_forces_of_differences);
    run("a smooth smallest rigidity has the forces of differences",
        a_smooth_smallest_rigidity_has_the_forces_of_differences);
});

}  // namespace
}  // namespace test_derivatives
