#include "lpr_fast/soap_scorer.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "linear_algebra/tiles.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/score_columns.hpp"
#include "soap/soap_scorer_state.hpp"

namespace lpr_fast {
namespace {

/// Sets all requested scores of a center to NaN.
void mark(const Scores& wanted, Index row) {
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    for (const ScoreColumn& column : score_columns) {
        const VectorView output = wanted.*(column.view);
        if (output.data != nullptr) output.data[row] = unknown;
    }
    if (wanted.member_energies.data == nullptr) return;
    std::fill_n(wanted.member_energies.row(row), wanted.member_energies.cols, unknown);
}

void check_outputs(const Scores& outputs, Index n_centers) {
    for (const ScoreColumn& column : score_columns) {
        const VectorView output = outputs.*(column.view);
        if (output.data != nullptr && output.size != n_centers)
            throw InvalidInput(
                std::string(column.name) + " has room for " + std::to_string(output.size) + " centers, but there are " +
                std::to_string(n_centers) + "; give room for each, and set n_centers to the number of atoms to score."
            );
    }
    const MatrixView of_members = outputs.member_energies;
    if (of_members.data != nullptr) check_output("member_energies", of_members, n_centers, of_members.cols);
}

}  // namespace

void SoapScorer::State::score(
    const std::vector<Part>& parts, const Center* centers, Index count, UnknownSpecies unknown, const Scores& outputs,
    ScoringWorkspace& workspace
) const {
    const SoapState& described = soap.state();
    const Index n_features = described.n_features();
    workspace.features.reserve(count * n_features);
    workspace.species.clear();
    workspace.rows.clear();
    const auto describe = [&](const Center& center, const SoapWorkspace& used) {
        if (unknown == UnknownSpecies::mark && used.surroundings.sees_unknown()) {
            mark(outputs, center.row);
            return;
        }
        const StructureState& structure = parts[at(center.part)].structure->state();
        const std::int32_t known = structure.species[at(center.place)];
        if (known == described.n_species()) refuse_center(structure, center.place);
        write_features(
            described, used.expansions.data(), used.is_empty,
            workspace.features.data() + static_cast<Index>(workspace.rows.size()) * n_features
        );
        workspace.species.push_back(described.species[at(known)]);
        workspace.rows.push_back(center.row);
    };
    for_each_environment(described, parts, centers, count, workspace.soap, describe);
    const Scores scores = workspace.room_for(outputs);
    const ConstMatrixView rows(workspace.features.data(), static_cast<Index>(workspace.rows.size()), n_features);
    model.score(rows, workspace.species.data(), scores, 1);
    workspace.write(outputs);
}

void refuse_center(const StructureState& structure, Index place) {
    const std::string species = std::to_string(structure.number[at(place)]);
    throw InvalidInput(
        structure.name + " has species " + species + " (atom " + std::to_string(structure.atom[at(place)]) +
        "), and the model knows " + listed(structure.known) + " only; fit a model with species " + species +
        ", or leave such atoms out of the centers (their neighbours are then scored as if they were absent)."
    );
}

SoapScorer::SoapScorer(Model model) : state_(std::make_shared<const State>(std::move(model))) {
    const Index expected = state_->model.info().n_features;
    if (expected != n_features())
        throw InvalidInput(
            "the model has " + std::to_string(expected) + " features, but its radial table makes " +
            std::to_string(n_features()) + "; fit it again."
        );
}

const Model& SoapScorer::model() const& {
    return state_->model;
}

const Soap& SoapScorer::soap() const& {
    return state_->soap;
}

void SoapScorer::features(const Configuration& atoms, MatrixView out, int n_threads) const {
    const Structure structure(atoms, soap().species(), cutoff());
    soap().features({{&structure}}, out, n_threads);
}

void SoapScorer::score(const Configuration& atoms, const Scores& scores, int n_threads) const {
    const Structure structure(atoms, soap().species(), cutoff());
    score({{&structure}}, scores, UnknownSpecies::refuse, n_threads);
}

void SoapScorer::score(
    const std::vector<Part>& parts, const Scores& scores, UnknownSpecies unknown, int n_threads
) const {
    const State& state = *state_;
    const std::vector<Center> centers = centers_of(state.soap.state(), parts);
    const auto count = static_cast<Index>(centers.size());
    check_outputs(scores, count);
    const int threads = resolve_threads(n_threads);
    // The number of tasks is a multiple of the number of threads, and no task is larger than centers_together().
    const Index share = std::max<Index>(1, tile_count(count, threads));
    const Index size = tile_count(share, tile_count(share, state.centers_together()));
    parallel_for_each(tile_count(count, size), threads, [&](Index task) {
        auto lease = state.workspaces.take();
        const Index first = task * size, last = std::min(first + size, count);
        state.score(parts, centers.data() + first, last - first, unknown, scores, *lease);
    });
}

}  // namespace lpr_fast
