// Predictions and scores of structures, and how they change when atoms move.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "lpr_fast/error.hpp"
#include "model/feature_derivatives.hpp"
#include "soap/soap_scorer_state.hpp"

namespace lpr_fast {
namespace {

// Rows of features, or of derivatives, that a thread has at the same time: enough for whole tiles.
constexpr Index rows_together = 192;

/// Functions of environments, how their gradients are summed, and where their values go.
struct Functions {
    Index count = 1;

    /// Writes values (n, count), and derivatives (n count, D) unless they have no data.
    std::function<void(const FeatureRows& rows, MatrixView values, MatrixView derivatives)> differentiate;

    /// Weights of the centers of a share in the sum; says in the share how large it is.
    std::function<void(const Center* centers, Index n, const double* values, double* weights, ForceShare& share)> weigh;

    /// Puts the values of a center where they are wanted.
    std::function<void(Index row, const double* values)> keep;
};

/// Some centers, shares of them, on their way to values and back to positions.
class Range {
public:
    Range(
        const Model& model, const SoapState& soap, const Part& part, const Functions& functions, bool with_forces,
        bool with_strain, PredictionWorkspace& workspace
    )
        : model_(model),
          soap_(soap),
          part_(part),
          functions_(functions),
          with_forces_(with_forces),
          with_strain_(with_strain),
          work_(workspace) {}

    void run(const Center* centers, Index count, ForceShare* shares) {
        describe(centers, count);
        const Index n = functions_.count, size = soap_.n_features();
        work_.values.reserve(count * n);
        if (with_forces_) work_.derivatives.reserve(count * n * size);
        const FeatureRows rows{model_.state(), {work_.features.data(), count, size}, work_.species.data()};
        const MatrixView derivatives{work_.derivatives.data(), count * n, size};
        functions_.differentiate(rows, {work_.values.data(), count, n}, with_forces_ ? derivatives : MatrixView{});
        for (Index i = 0; i < count; ++i) functions_.keep(centers[i].row, work_.values.data() + i * n);
        for (Index first = 0; first < count; first += centers_of_share)
            go_back(centers, first, std::min(centers_of_share, count - first), *shares++);
    }

private:
    void describe(const Center* centers, Index count) {
        work_.features.reserve(count * soap_.n_features());
        work_.species.resize(at(count));
        if (work_.environments.size() < at(count)) work_.environments.resize(at(count));
        for_each_center(
            {part_}, soap_.n_species(), centers, count, work_.surroundings,
            [&](const Center& center, const StructureState& structure) {
                const Index i = &center - centers, species = structure.species[at(center.place)];
                if (species == soap_.n_species()) refuse_center(structure, center.place);
                Environment& environment = work_.environments[at(i)];
                environment.take(soap_, work_.surroundings, structure, center.place);
                work_.species[at(i)] = soap_.species[at(species)];
                write_features(
                    soap_, environment.expansions.data(), environment.is_empty,
                    work_.features.data() + i * soap_.n_features()
                );
            }
        );
    }

    void go_back(const Center* centers, Index first, Index count, ForceShare& share) {
        double weights[centers_of_share];
        const Index n = functions_.count, size = soap_.n_features();
        functions_.weigh(centers + first, count, work_.values.data() + first * n, weights, share);
        for (Index i = 0; with_forces_ && i < count; ++i) {
            if (weights[i] == 0.0) continue;
            const Environment& environment = work_.environments[at(first + i)];
            for (Index k = 0; k < n; ++k) {
                double* derivatives = work_.derivatives.data() + ((first + i) * n + k) * size;
                for (Index d = 0; weights[i] != 1.0 && d < size; ++d) derivatives[d] *= weights[i];
                work_.way.go(soap_, environment, derivatives);
                share.add(environment, work_.way, k, with_strain_, work_.slots);
            }
        }
    }

    const Model& model_;
    const SoapState& soap_;
    const Part& part_;
    const Functions& functions_;
    bool with_forces_, with_strain_;
    PredictionWorkspace& work_;
};

void check_power(double power, bool has_coefficients) {
    if (has_coefficients) throw InvalidInput("a smooth extreme takes no coefficients; give either these or a power.");
    if (power > 0.0 && std::isfinite(power)) return;
    throw InvalidInput("the power is " + std::to_string(power) + "; it must be positive and finite.");
}

void check_coefficients(const std::optional<ConstVectorView>& coefficients, Index n) {
    if (!coefficients) return;
    if (coefficients->size != n)
        throw InvalidInput(
            "there are " + std::to_string(coefficients->size) + " coefficients for " + std::to_string(n) +
            " centers; give one for each."
        );
    check_finite("coefficients", {coefficients->data, coefficients->size, 1});
}

bool is_rigidity(Quantity quantity) {
    return quantity == Quantity::lpr || quantity == Quantity::lpr_held;
}

/// Weights of a sum.
void weigh_by_coefficients(
    const std::optional<ConstVectorView>& coefficients, const Center* centers, Index n, const double* values,
    double* weights, ForceShare& share
) {
    for (Index i = 0; i < n; ++i) {
        weights[i] = coefficients ? coefficients->data[centers[i].row] : 1.0;
        if (weights[i] != 0.0) share.value += weights[i] * values[i];
    }
}

/// Weights q^exponent of a smooth extreme, over the largest of the share.
void weigh_by_powers(double exponent, Index n, const double* values, double* weights, ForceShare& share) {
    share.exponent = -std::numeric_limits<double>::infinity();
    for (Index i = 0; i < n; ++i) {
        weights[i] = exponent * std::log(values[i]);
        share.exponent = std::max(share.exponent, weights[i]);
    }
    for (Index i = 0; i < n; ++i) {
        weights[i] = std::isinf(share.exponent) ? 0.0 : std::exp(weights[i] - share.exponent);
        share.value += weights[i];
    }
}

/// Makes of a sum of powers, and of the gradients of logarithms that it weighed, the smooth extreme and its gradient.
double extreme_of(ForceSum& sum, double exponent) {
    if (sum.value() == 0.0) return exponent < 0.0 ? std::numeric_limits<double>::infinity() : 0.0;
    const double extreme = std::exp((std::log(sum.value()) + sum.exponent()) / exponent);
    sum.multiply(extreme / sum.value());
    return extreme;
}

}  // namespace

void SoapScorer::predict(
    const Part& part, const std::optional<ConstMatrixView>& weights, const Predictions& out, int n_threads
) const {
    const Model& model = state_->model;
    if (!weights && !model.info().has_energies)
        throw InvalidInput("the model was fitted without energies and predicts none; give vectors of weights.");
    const ConstVectorView own = model.weights();
    const ConstMatrixView vectors = weights ? *weights : ConstMatrixView{own.data, 1, own.size};
    check_columns("weights", vectors, model.info().size);
    check_finite("weights", vectors);
    Functions functions;
    functions.count = vectors.rows;
    functions.differentiate = [&](const FeatureRows& rows, MatrixView values, MatrixView derivatives) {
        rows.differentiate_energies(vectors, values, derivatives);
    };
    functions.weigh = [](const Center*, Index n, const double*, double* all, ForceShare&) { std::fill_n(all, n, 1.0); };
    functions.keep = [&](Index row, const double* values) { std::copy_n(values, vectors.rows, out.energies.row(row)); };
    const SoapState& soap = state_->soap.state();
    const std::vector<Center> centers = centers_of(soap, {part});
    const auto n = static_cast<Index>(centers.size());
    const bool with_forces = out.forces.data != nullptr;
    check_output("energies", out.energies, n, vectors.rows);
    if (with_forces) {
        check_way_back(soap);
        check_output("forces", out.forces, vectors.rows * part.structure->n_atoms(), 3);
    }
    if (with_forces && out.virials.data != nullptr) check_output("virials", out.virials, 3 * vectors.rows, 3);
    ForceSum sum(out.forces, out.virials, vectors.rows);
    const Index most = std::max(centers_of_share, rows_together / std::max<Index>(1, vectors.rows));
    sum.collect(n, most, n_threads, [&](Index first, Index count, ForceShare* shares) {
        auto lease = state_->prediction_workspaces.take();
        const Index begin = first * centers_of_share, end = std::min((first + count) * centers_of_share, n);
        Range(model, soap, part, functions, with_forces, sum.with_strain(), *lease)
            .run(centers.data() + begin, end - begin, shares);
    });
}

double SoapScorer::score_gradient(
    const Part& part, const ScoreSum& wanted, const ScoreGradient& out, int n_threads
) const {
    const Model& model = state_->model;
    const SoapState& soap = state_->soap.state();
    check_way_back(soap);
    check_quantity(model.info(), wanted.quantity);
    if (wanted.power) check_power(*wanted.power, wanted.coefficients.has_value());
    const std::vector<Center> centers = centers_of(soap, {part});
    const auto n = static_cast<Index>(centers.size());
    check_coefficients(wanted.coefficients, n);
    check_output("values", {out.values.data, 1, out.values.size}, 1, n);
    check_output("forces", out.forces, part.structure->n_atoms(), 3);
    if (out.virial.data != nullptr) check_output("virial", out.virial, 3, 3);
    const double exponent = wanted.power.value_or(0.0) * (is_rigidity(wanted.quantity) ? -1.0 : 1.0);
    Functions functions;
    functions.differentiate = [&](const FeatureRows& rows, MatrixView values, MatrixView derivatives) {
        const Of of = wanted.power ? Of::logarithm : Of::value;
        rows.differentiate_scores(wanted.quantity, of, {values.data, values.rows}, derivatives);
    };
    functions.weigh = [&](const Center* some, Index count, const double* values, double* weights, ForceShare& share) {
        if (wanted.power)
            weigh_by_powers(exponent, count, values, weights, share);
        else
            weigh_by_coefficients(wanted.coefficients, some, count, values, weights, share);
    };
    functions.keep = [&](Index row, const double* value) { out.values.data[row] = *value; };
    ForceSum sum(out.forces, out.virial, 1);
    sum.collect(n, rows_together, n_threads, [&](Index first, Index count, ForceShare* shares) {
        auto lease = state_->prediction_workspaces.take();
        const Index begin = first * centers_of_share, end = std::min((first + count) * centers_of_share, n);
        Range(model, soap, part, functions, true, sum.with_strain(), *lease)
            .run(centers.data() + begin, end - begin, shares);
    });
    return wanted.power ? extreme_of(sum, exponent) : sum.value();
}

}  // namespace lpr_fast
