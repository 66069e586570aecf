// Predictions and scores of structures, and their gradients with respect to positions.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/sums.hpp"
#include "lpr_fast/error.hpp"
#include "model/feature_derivatives.hpp"
#include "soap/soap_scorer_state.hpp"

namespace lpr_fast {
namespace {

// Largest number of centers that a thread takes at a time. More would not fit into the caches; with fewer, the active
// set would be read more often.
constexpr Index most_centers_together = 96;

// Largest number of rows of derivatives that a thread computes at a time.
constexpr Index rows_together = 768;

/// Functions of environments, the weights of their gradients in the sum, and the output of their values.
struct Functions {
    Index count = 1;

    /// Writes values (n, count), and derivatives (n count, D) unless they have no data.
    std::function<void(const FeatureRows& rows, MatrixView values, MatrixView derivatives)> differentiate;

    /// Computes the weights of the centers of a share in the sum, and sets the value and the exponent of the share.
    std::function<void(const Center* centers, Index n, const double* values, double* weights, ForceShare& share)> weigh;

    /// Puts the values of a center where they are wanted.
    std::function<void(const Center& center, const double* values)> keep;
};

/// A part of a structure, and functions of its environments.
struct Task {
    const Model& model;
    const SoapState& soap;
    const Part& part;
    const Functions& functions;
    bool with_forces;
    bool with_strain;
};

/// Computes values and derivatives for some centers of a task, in whole shares.
class Range {
public:
    Range(const Task& task, PredictionWorkspace& workspace) : task_(task), work_(workspace) {}

    void run(const Center* centers, Index count, ForceShare* shares) {
        describe(centers, count);
        const Index n = task_.functions.count, size = task_.soap.n_features();
        work_.values.reserve(count * n);
        MatrixView derivatives;
        if (task_.with_forces) {
            work_.derivatives.reserve(count * n * size);
            derivatives = {work_.derivatives.data(), count * n, size};
        }
        const FeatureRows rows{task_.model.state(), {work_.features.data(), count, size}, work_.species.data()};
        task_.functions.differentiate(rows, {work_.values.data(), count, n}, derivatives);
        for (Index i = 0; i < count; ++i) task_.functions.keep(centers[i], work_.values.data() + i * n);
        for (Index first = 0; first < count; first += centers_of_share)
            go_back(centers, first, std::min(centers_of_share, count - first), *shares++);
    }

private:
    void describe(const Center* centers, Index count) {
        const SoapState& soap = task_.soap;
        work_.features.reserve(count * soap.n_features());
        work_.species.resize(at(count));
        if (work_.environments.size() < at(count)) work_.environments.resize(at(count));
        for_each_center(
            {task_.part}, soap.n_species(), centers, count, work_.surroundings,
            [&](const Center& center, const StructureState& structure) {
                const Index i = &center - centers, species = structure.species[at(center.place)];
                if (species == soap.n_species()) refuse_center(structure, center.place);
                Environment& environment = work_.environments[at(i)];
                environment.take(soap, work_.surroundings, structure, center.place);
                work_.species[at(i)] = soap.species[at(species)];
                write_features(
                    soap, environment.expansions.data(), environment.is_empty,
                    work_.features.data() + i * soap.n_features()
                );
            }
        );
    }

    void go_back(const Center* centers, Index first, Index count, ForceShare& share) {
        double weights[centers_of_share];
        const Index n = task_.functions.count, size = task_.soap.n_features();
        task_.functions.weigh(centers + first, count, work_.values.data() + first * n, weights, share);
        for (Index i = 0; task_.with_forces && i < count; ++i) {
            if (weights[i] == 0.0) continue;
            const Environment& environment = work_.environments[at(first + i)];
            for (Index k = 0; k < n; ++k) {
                double* derivatives = work_.derivatives.data() + ((first + i) * n + k) * size;
                for (Index d = 0; weights[i] != 1.0 && d < size; ++d) derivatives[d] *= weights[i];
                work_.way.go(task_.soap, environment, derivatives);
                share.add(environment, work_.way, k, task_.with_strain, work_.slots);
            }
        }
    }

    const Task& task_;
    PredictionWorkspace& work_;
};

void run(
    const Task& task, const std::vector<Center>& centers, int n_threads, Pool<PredictionWorkspace>& workspaces,
    ForceSum& sum
) {
    const auto n = static_cast<Index>(centers.size());
    const Index most =
        std::clamp(rows_together / std::max<Index>(1, task.functions.count), centers_of_share, most_centers_together);
    sum.collect(n, most, n_threads, [&](Index first, Index count, ForceShare* shares) {
        auto lease = workspaces.take();
        const Index begin = first * centers_of_share, end = std::min((first + count) * centers_of_share, n);
        Range(task, *lease).run(centers.data() + begin, end - begin, shares);
    });
}

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
            " centers; give one for each center."
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

/// Weights q^exponent of a smooth extreme, divided by the largest one of the share.
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

/// Computes the smooth extreme and its gradient from a sum of powers and a weighted sum of gradients of logarithms.
double extreme_of(ForceSum& sum, double exponent) {
    if (sum.value() == 0.0) return exponent < 0.0 ? std::numeric_limits<double>::infinity() : 0.0;
    const double extreme = std::exp((std::log(sum.value()) + sum.exponent()) / exponent);
    sum.multiply(extreme / sum.value());
    return extreme;
}

void check_predictions(const Predictions& out, Index n_centers, Index n_vectors, Index n_atoms) {
    if (out.energies.data != nullptr) check_output("energies", out.energies, n_centers, n_vectors);
    if (out.totals.data != nullptr) check_output("totals", {out.totals.data, 1, out.totals.size}, 1, n_vectors);
    if (out.forces.data == nullptr && out.virials.data != nullptr)
        throw InvalidInput("virials are computed together with forces; give room for forces too.");
    if (out.forces.data == nullptr) return;
    check_output("forces", out.forces, n_vectors * n_atoms, 3);
    if (out.virials.data != nullptr) check_output("virials", out.virials, 3 * n_vectors, 3);
}

}  // namespace

void SoapScorer::predict(
    const Part& part, const std::optional<ConstMatrixView>& weights, const Predictions& out, int n_threads
) const {
    const Model& model = state_->model;
    if (!weights && !model.info().has_energies)
        throw InvalidInput("the model was fitted without energies and predicts none; give vectors of weights.");
    if (out.with_baseline && !model.info().has_energies)
        throw InvalidInput("the model was fitted without energies and has no baseline; set with_baseline to false.");
    const ConstVectorView own = model.weights();
    const ConstMatrixView vectors = weights ? *weights : ConstMatrixView{own.data, 1, own.size};
    check_columns("weights", vectors, model.info().size);
    if (vectors.rows == 0) throw InvalidInput("there are no vectors of weights; give at least one.");
    check_finite("weights", vectors);
    Functions functions;
    functions.count = vectors.rows;
    functions.differentiate = [&](const FeatureRows& rows, MatrixView values, MatrixView derivatives) {
        rows.differentiate_energies(vectors, values, derivatives);
    };
    functions.weigh = [](const Center*, Index n, const double*, double* all, ForceShare&) { std::fill_n(all, n, 1.0); };
    const SoapState& soap = state_->soap.state();
    const std::vector<Center> centers = centers_of(soap, {part});
    const auto n_centers = static_cast<Index>(centers.size());
    const StructureState& structure = part.structure->state();
    std::vector<double> not_stored(at(out.energies.data == nullptr ? n_centers * vectors.rows : 0));
    const MatrixView energies =
        out.energies.data != nullptr ? out.energies : MatrixView{not_stored.data(), n_centers, vectors.rows};
    functions.keep = [&](const Center& center, const double* values) {
        const SpeciesPart& of_species = model.state().species[at(structure.species[at(center.place)])];
        const double baseline = out.with_baseline ? of_species.baseline : 0.0;
        double* of_center = energies.row(center.row);
        for (Index k = 0; k < vectors.rows; ++k) of_center[k] = baseline + values[k];
    };
    const bool with_forces = out.forces.data != nullptr;
    if (with_forces) check_differentiable(soap);
    check_predictions(out, n_centers, vectors.rows, part.structure->n_atoms());
    ForceSum sum(out.forces, out.virials, vectors.rows);
    const Task task{model, soap, part, functions, with_forces, sum.with_strain()};
    run(task, centers, n_threads, state_->prediction_workspaces, sum);
    for (Index k = 0; out.totals.data != nullptr && k < vectors.rows; ++k) out.totals.data[k] = column_sum(energies, k);
}

double SoapScorer::score_gradient(
    const Part& part, const ScoreSum& wanted, const ScoreGradient& out, int n_threads
) const {
    const Model& model = state_->model;
    const SoapState& soap = state_->soap.state();
    check_differentiable(soap);
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
    functions.keep = [&](const Center& center, const double* value) { out.values.data[center.row] = *value; };
    ForceSum sum(out.forces, out.virial, 1);
    const Task task{model, soap, part, functions, true, sum.with_strain()};
    run(task, centers, n_threads, state_->prediction_workspaces, sum);
    return wanted.power ? extreme_of(sum, exponent) : sum.value();
}

}  // namespace lpr_fast
