#pragma once

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "linear_algebra/tiles.hpp"
#include "lpr_fast/score_columns.hpp"
#include "lpr_fast/soap_scorer.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {

/// Scratch memory for some environments and their scores.
struct ScoringWorkspace {
    SoapWorkspace soap;
    AlignedBuffer features;
    std::vector<int> species;
    std::vector<Index> rows;
    std::array<std::vector<double>, score_columns.size()> scores;
    std::vector<double> member_energies;

    /// Memory for the requested scores of all rows.
    Scores room_for(const Scores& wanted) {
        Scores room;
        for (std::size_t k = 0; k < score_columns.size(); ++k) {
            const auto view = score_columns[k].view;
            if ((wanted.*view).data == nullptr) continue;
            scores[k].resize(rows.size());
            room.*view = {scores[k].data(), static_cast<Index>(rows.size())};
        }
        if (wanted.member_energies.data == nullptr) return room;
        const Index n_members = wanted.member_energies.cols;
        member_energies.resize(rows.size() * at(n_members));
        room.member_energies = {member_energies.data(), static_cast<Index>(rows.size()), n_members};
        return room;
    }

    /// Copies the scores to the rows of the outputs.
    void write(const Scores& wanted) const {
        for (std::size_t k = 0; k < score_columns.size(); ++k) {
            const VectorView out = wanted.*(score_columns[k].view);
            if (out.data == nullptr) continue;
            for (std::size_t i = 0; i < rows.size(); ++i) out.data[rows[i]] = scores[k][i];
        }
        if (wanted.member_energies.data == nullptr) return;
        const Index n_members = wanted.member_energies.cols;
        const double* energies = member_energies.data();
        for (const Index row : rows) {
            std::copy_n(energies, n_members, wanted.member_energies.row(row));
            energies += n_members;
        }
    }
};

/// Scratch memory for predictions of some environments and their gradients.
struct PredictionWorkspace {
    Surroundings surroundings;
    std::vector<Environment> environments;
    AlignedBuffer features;
    std::vector<int> species;
    AlignedBuffer values;       ///< (environments, functions)
    AlignedBuffer derivatives;  ///< of values with respect to features
    WayBack way;
    AtomSlots slots;
};

struct SoapScorer::State {
    explicit State(Model fitted) : model(std::move(fitted)), soap(model.radial_table(), model.info().species) {}

    /// Number of environments that a thread describes before it scores them: enough for whole tiles of each species.
    Index centers_together() const {
        constexpr Index most_species = 4;
        return tile_columns() * std::min(soap.state().n_species(), most_species);
    }

    void score(
        const std::vector<Part>& parts, const Center* centers, Index count, UnknownSpecies unknown,
        const Scores& outputs, ScoringWorkspace& workspace
    ) const;

    Model model;
    Soap soap;
    mutable Pool<ScoringWorkspace> workspaces;
    mutable Pool<PredictionWorkspace> prediction_workspaces;
};

/// Throws InvalidInput for a center of a species that the model does not know, naming the atom.
[[noreturn]] void refuse_center(const StructureState& structure, Index place);

}  // namespace lpr_fast
