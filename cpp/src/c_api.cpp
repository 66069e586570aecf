#include "lpr_fast/lpr_fast.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "lpr_fast/error.hpp"
#include "lpr_fast/soap_scorer.hpp"
#include "lpr_fast/version.hpp"

struct lpr_fast_model {
    explicit lpr_fast_model(const char* path) : model(lpr_fast::Model::load(path)) {}

    /// @throws InvalidInput  for a model without a descriptor of structures
    const lpr_fast::SoapScorer& scorer() const {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!made) made.emplace(model);
        return *made;
    }

    lpr_fast::Model model;

private:
    // Made for the first structure: a model of features cannot have one.
    mutable std::mutex mutex;
    mutable std::optional<lpr_fast::SoapScorer> made;
};

namespace {

using lpr_fast::InvalidInput;
using lpr_fast::ModelInfo;

thread_local char last_error[1024] = "";

lpr_fast_status failed(lpr_fast_status status, const char* message) noexcept {
    std::snprintf(last_error, sizeof(last_error), "%s", message);
    return status;
}

/// Runs a body and turns every exception into a status and the last error.
template <typename Body>
lpr_fast_status guarded(const Body& body) noexcept {
    try {
        body();
        return LPR_FAST_OK;
    } catch (const lpr_fast::Error& error) {
        return failed(LPR_FAST_INVALID_INPUT, error.what());
    } catch (const std::bad_alloc&) {
        return failed(LPR_FAST_OUT_OF_MEMORY, "there is not enough memory; use fewer threads or a smaller model.");
    } catch (const std::exception& error) {
        return failed(LPR_FAST_INTERNAL_ERROR, error.what());
    } catch (...) {
        return failed(LPR_FAST_INTERNAL_ERROR, "an exception of unknown type came up; this is a mistake in lpr_fast.");
    }
}

void refuse_null(const void* pointer, const char* name) {
    if (pointer == nullptr) throw InvalidInput(std::string(name) + " is NULL; give a pointer to something.");
}

/// What `read` returns for a model's info, or `otherwise` if that fails.
template <typename Value, typename Read>
Value asked(const lpr_fast_model* model, Value otherwise, const Read& read) noexcept {
    Value value = otherwise;
    guarded([&] {
        refuse_null(model, "model");
        value = read(model->model.info());
    });
    return value;
}

std::size_t checked_species(const ModelInfo& info, ptrdiff_t index) {
    const auto n_species = static_cast<ptrdiff_t>(info.species.size());
    if (index >= 0 && index < n_species) return static_cast<std::size_t>(index);
    throw InvalidInput(
        "species " + std::to_string(index) + " was asked for, but the model has " + std::to_string(n_species) +
        "; count them from 0."
    );
}

void check_size(std::size_t given, std::size_t expected, const char* type) {
    if (given != expected)
        throw InvalidInput(
            "the size of " + std::string(type) + " is " + std::to_string(given) +
            ", but this version of lpr_fast knows " + std::to_string(expected) + "; set it to sizeof(" + type +
            "), with the header of the same version."
        );
}

lpr_fast::Configuration configuration_of(const lpr_fast_structure& structure) {
    check_size(structure.size, sizeof(lpr_fast_structure), "lpr_fast_structure");
    lpr_fast::Configuration atoms;
    atoms.positions = {structure.positions, structure.n_atoms, 3};
    atoms.species = structure.species;
    atoms.n_centers = structure.n_centers;
    for (std::size_t k = 0; k < 3; ++k) atoms.periodic[k] = structure.periodic[k] != 0;
    const bool is_periodic =
        std::any_of(atoms.periodic.begin(), atoms.periodic.end(), [](bool along) { return along; });
    if (is_periodic && structure.cell == nullptr)
        throw InvalidInput(
            "cell is NULL, but the structure is periodic; give the three cell vectors as 9 numbers, vector by vector, "
            "or set periodic to 0."
        );
    if (structure.cell != nullptr) std::copy_n(structure.cell, 9, atoms.cell.begin());
    return atoms;
}

lpr_fast::Scores scores_of(const lpr_fast_scores& scores, ptrdiff_t n) {
    check_size(scores.size, sizeof(lpr_fast_scores), "lpr_fast_scores");
    lpr_fast::Scores views;
    views.lpr = {scores.lpr, n};
    views.lpr_held = {scores.lpr_held, n};
    views.variance = {scores.variance, n};
    views.sigma = {scores.sigma, n};
    views.residual = {scores.residual, n};
    views.local_energy = {scores.local_energy, n};
    views.percentile = {scores.percentile, n};
    views.verdict = {scores.verdict, n};
    views.spread = {scores.spread, n};
    return views;
}

void predict(
    const lpr_fast::SoapScorer& scorer, const lpr_fast_structure& structure, const lpr_fast_predictions& wanted,
    int n_threads
) {
    check_size(wanted.size, sizeof(lpr_fast_predictions), "lpr_fast_predictions");
    const lpr_fast::Configuration atoms = configuration_of(structure);
    const lpr_fast::Structure checked(atoms, scorer.soap().species(), scorer.cutoff());
    std::vector<double> forces, virial(9);
    lpr_fast::Predictions out{{wanted.local_energies, structure.n_centers, 1}};
    out.totals = {wanted.energy, 1};
    if (wanted.forces != nullptr || wanted.virial != nullptr) {
        double* of_atoms = wanted.forces;
        if (of_atoms == nullptr) {
            forces.resize(static_cast<std::size_t>(3 * std::max<ptrdiff_t>(1, structure.n_atoms)));
            of_atoms = forces.data();
        }
        out.forces = {of_atoms, structure.n_atoms, 3};
        out.virials = {wanted.virial != nullptr ? wanted.virial : virial.data(), 3, 3};
    }
    scorer.predict({&checked}, std::nullopt, out, n_threads);
}

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr ptrdiff_t no_size = -1;

}  // namespace

lpr_fast_status lpr_fast_load(const char* path, lpr_fast_model** model) {
    return guarded([&] {
        refuse_null(model, "model");
        *model = nullptr;
        refuse_null(path, "path");
        *model = std::make_unique<lpr_fast_model>(path).release();
    });
}

void lpr_fast_free(lpr_fast_model* model) {
    const std::unique_ptr<lpr_fast_model> owned(model);
}

ptrdiff_t lpr_fast_size(const lpr_fast_model* model) {
    return asked(model, no_size, [](const ModelInfo& info) { return info.size; });
}

ptrdiff_t lpr_fast_n_features(const lpr_fast_model* model) {
    return asked(model, no_size, [](const ModelInfo& info) { return info.n_features; });
}

ptrdiff_t lpr_fast_n_dropped(const lpr_fast_model* model) {
    return asked(model, no_size, [](const ModelInfo& info) { return info.n_dropped; });
}

ptrdiff_t lpr_fast_n_species(const lpr_fast_model* model) {
    return asked(model, no_size, [](const ModelInfo& info) { return static_cast<ptrdiff_t>(info.species.size()); });
}

int lpr_fast_species(const lpr_fast_model* model, ptrdiff_t index) {
    return asked(model, -1, [&](const ModelInfo& info) { return info.species[checked_species(info, index)]; });
}

double lpr_fast_baseline(const lpr_fast_model* model, ptrdiff_t index) {
    return asked(model, not_a_number, [&](const ModelInfo& info) {
        const std::size_t place = checked_species(info, index);
        return info.has_energies ? info.baseline[place] : not_a_number;
    });
}

double lpr_fast_regularizer(const lpr_fast_model* model) {
    return asked(model, not_a_number, [](const ModelInfo& info) { return info.regularizer; });
}

double lpr_fast_zeta(const lpr_fast_model* model) {
    return asked(model, not_a_number, [](const ModelInfo& info) { return info.zeta; });
}

double lpr_fast_condition_number(const lpr_fast_model* model) {
    return asked(model, not_a_number, [](const ModelInfo& info) { return info.condition_number; });
}

int lpr_fast_has_energies(const lpr_fast_model* model) {
    return asked(model, -1, [](const ModelInfo& info) { return info.has_energies ? 1 : 0; });
}

int lpr_fast_has_residual(const lpr_fast_model* model) {
    return asked(model, -1, [](const ModelInfo& info) { return info.has_residual ? 1 : 0; });
}

int lpr_fast_has_held(const lpr_fast_model* model) {
    return asked(model, -1, [](const ModelInfo& info) { return info.has_held ? 1 : 0; });
}

int lpr_fast_has_reference(const lpr_fast_model* model) {
    return asked(model, -1, [](const ModelInfo& info) { return info.has_reference ? 1 : 0; });
}

ptrdiff_t lpr_fast_n_members(const lpr_fast_model* model) {
    return asked(model, no_size, [](const ModelInfo& info) { return info.n_members; });
}

double lpr_fast_prior_variance(const lpr_fast_model* model) {
    return asked(model, not_a_number, [](const ModelInfo& info) { return info.prior_variance; });
}

const char* lpr_fast_kind(const lpr_fast_model* model) {
    return asked<const char*>(model, nullptr, [](const ModelInfo& info) { return info.kind.c_str(); });
}

const char* lpr_fast_loss(const lpr_fast_model* model) {
    return asked<const char*>(model, nullptr, [](const ModelInfo& info) { return info.loss.c_str(); });
}

const char* lpr_fast_hypers(const lpr_fast_model* model) {
    return asked<const char*>(model, nullptr, [](const ModelInfo& info) { return info.hypers.c_str(); });
}

const char* lpr_fast_provenance(const lpr_fast_model* model) {
    return asked<const char*>(model, nullptr, [](const ModelInfo& info) { return info.provenance.c_str(); });
}

lpr_fast_status lpr_fast_score(
    const lpr_fast_model* model, const double* features, ptrdiff_t n, ptrdiff_t stride, const int* species,
    const lpr_fast_scores* scores, int n_threads
) {
    return guarded([&] {
        refuse_null(model, "model");
        refuse_null(scores, "scores");
        const lpr_fast::ConstMatrixView rows{features, n, model->model.info().n_features, stride};
        model->model.score(rows, species, scores_of(*scores, n), n_threads);
    });
}

lpr_fast_status lpr_fast_score_phi(
    const lpr_fast_model* model, const double* phi, ptrdiff_t n, ptrdiff_t stride, const lpr_fast_scores* scores,
    int n_threads
) {
    return guarded([&] {
        refuse_null(model, "model");
        refuse_null(scores, "scores");
        const lpr_fast::ConstMatrixView rows{phi, n, model->model.info().size, stride};
        model->model.score_phi(rows, scores_of(*scores, n), n_threads);
    });
}

lpr_fast_status lpr_fast_score_structure(
    const lpr_fast_model* model, const lpr_fast_structure* structure, const lpr_fast_scores* scores, int n_threads
) {
    return guarded([&] {
        refuse_null(model, "model");
        refuse_null(structure, "structure");
        refuse_null(scores, "scores");
        const lpr_fast::Scores outputs = scores_of(*scores, structure->n_centers);
        model->scorer().score(configuration_of(*structure), outputs, n_threads);
    });
}

lpr_fast_status lpr_fast_predict(
    const lpr_fast_model* model, const lpr_fast_structure* structure, const lpr_fast_predictions* predictions,
    int n_threads
) {
    return guarded([&] {
        refuse_null(model, "model");
        refuse_null(structure, "structure");
        refuse_null(predictions, "predictions");
        predict(model->scorer(), *structure, *predictions, n_threads);
    });
}

double lpr_fast_cutoff(const lpr_fast_model* model) {
    double cutoff = not_a_number;
    guarded([&] {
        refuse_null(model, "model");
        cutoff = model->scorer().cutoff();
    });
    return cutoff;
}

// For the Fortran module, which checks shapes of arrays: C has none. Not in the header.
extern "C" lpr_fast_status lpr_fast_refused(const char* message) {
    return failed(LPR_FAST_INVALID_INPUT, message);
}

const char* lpr_fast_last_error(void) {
    return last_error;
}

const char* lpr_fast_version(void) {
    return LPR_FAST_VERSION;
}
