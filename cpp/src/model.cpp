#include "lpr_fast/model.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "checks.hpp"
#include "json_text.hpp"
#include "lpr_fast/error.hpp"
#include "mapped_file.hpp"
#include "model_file.hpp"
#include "model_state.hpp"
#include "tiles.hpp"

namespace lpr_fast {
namespace {

std::shared_ptr<const ModelState> read_model(const std::uint8_t* bytes, std::size_t n_bytes, const std::string& name) {
    const ModelFile file = read_model_file(bytes, n_bytes, name);
    std::string reason;
    try {
        return assemble_model(file);
    } catch (const Error& error) {
        reason = error.what();
        if (!reason.empty() && reason.back() == '.') reason.pop_back();
    } catch (const Json::exception&) {
        reason = "an entry is missing or of the wrong type";
    }
    throw InvalidInput(name + " does not hold the parts of a model (" + reason + "); fit it again.");
}

/// Scalar product, summed in the order of NumPy's sums: last bits of a norm matter where R is ill-conditioned, and so
/// they are those that Python has.
double dot(const double* a, const double* b, Index size) {
    constexpr Index n_partial = 8;
    constexpr Index largest_leaf = 128;
    if (size > largest_leaf) {
        const Index half = size / 2 - size / 2 % n_partial;
        return dot(a, b, half) + dot(a + half, b + half, size - half);
    }
    double sum = 0.0;
    Index k = 0;
    if (size >= n_partial) {
        double partial[n_partial] = {};
        for (; k + n_partial <= size; k += n_partial) {
            for (Index l = 0; l < n_partial; ++l) partial[l] += a[k + l] * b[k + l];
        }
        sum = ((partial[0] + partial[1]) + (partial[2] + partial[3])) +
              ((partial[4] + partial[5]) + (partial[6] + partial[7]));
    }
    for (; k < size; ++k) sum += a[k] * b[k];
    return sum;
}

void check_wanted(const char* name, VectorView out, Index n_rows, bool available, const char* why_not) {
    if (out.data == nullptr) return;
    check_output(name, {out.data, 1, out.size}, 1, n_rows);
    if (!available) throw InvalidInput(std::string(name) + " cannot be scored: " + why_not);
}

void check_wanted(const ModelInfo& info, const Scores& scores, Index n_rows) {
    check_wanted("lpr", scores.lpr, n_rows, true, "");
    check_wanted("variance", scores.variance, n_rows, true, "");
    check_wanted(
        "residual", scores.residual, n_rows, info.has_residual, "linear models have no residual; ask for the others."
    );
    check_wanted(
        "energy", scores.energy, n_rows, info.has_energies, "the model was fitted without energies; ask for the others."
    );
}

void check_species(const ModelInfo& info, const int* species, Index n_rows) {
    if (species == nullptr && n_rows > 0) {
        throw InvalidInput("there are no species; give the atomic number of every row of features.");
    }
    for (Index i = 0; i < n_rows; ++i) {
        if (std::binary_search(info.species.begin(), info.species.end(), species[i])) continue;
        std::string known;
        for (const int s : info.species) known += (known.empty() ? "" : ", ") + std::to_string(s);
        throw InvalidInput(
            "row " + std::to_string(i) + " is an environment of species " + std::to_string(species[i]) +
            ", which this model does not know; it knows " + known + "."
        );
    }
}

void write_forms(double form, double regularizer, const Scores& scores, Index row) {
    if (scores.lpr.data != nullptr) scores.lpr.data[row] = 1.0 / form;
    if (scores.variance.data != nullptr) scores.variance.data[row] = regularizer * form;
}

/// Scores of environments of one species, of which `rows` says where they stand.
class SpeciesScoring {
public:
    SpeciesScoring(const ModelState& state, const SpeciesPart& part, ConstMatrixView features, const Scores& scores)
        : state_(state), part_(part), features_(features), scores_(scores) {}

    void run(const Index* rows, Index count, SpeciesTile& tile) const {
        gather(rows, count, tile);
        if (part_.scorer) {
            score_kernels(count, tile);
        } else if (part_.factor) {
            score_linear(count, tile);
        } else {
            score_unseen(count, tile);
        }
        for (Index i = 0; i < count; ++i) write(tile, i, rows[i]);
    }

private:
    bool wants_forms() const { return scores_.lpr.data != nullptr || scores_.variance.data != nullptr; }
    bool wants_residual() const { return scores_.residual.data != nullptr; }
    bool wants_energy() const { return scores_.energy.data != nullptr; }

    /// Copies rows into the tile and makes room for what they are scored to.
    void gather(const Index* rows, Index count, SpeciesTile& tile) const {
        const Index size = features_.cols;
        tile.features.reserve(tile_columns() * size);
        for (AlignedBuffer* buffer : {&tile.forms, &tile.explained, &tile.energies}) buffer->reserve(tile_columns());
        for (Index i = 0; i < count; ++i) {
            const double* row = features_.row(rows[i]);
            check_environment("features", row, size, rows[i]);
            const double norm = state_.info.has_residual ? std::sqrt(dot(row, row, size)) : 1.0;
            double* target = tile.features.data() + i * size;
            if (norm > 0.0) {
                for (Index k = 0; k < size; ++k) target[k] = row[k] / norm;
            } else {
                std::fill_n(target, size, 0.0);
            }
        }
    }

    ConstMatrixView gathered(Index count, const SpeciesTile& tile) const {
        return {tile.features.data(), count, features_.cols};
    }

    void score_kernels(Index count, SpeciesTile& tile) const {
        KernelScores wanted;
        if (wants_forms()) wanted.forms = {tile.forms.data(), count};
        if (wants_residual()) wanted.explained = {tile.explained.data(), count};
        if (wants_energy()) wanted.energies = {tile.energies.data(), count};
        part_.scorer->score(gathered(count, tile), wanted, 1);
    }

    void score_linear(Index count, SpeciesTile& tile) const {
        const ConstMatrixView phi = gathered(count, tile);
        if (wants_forms()) part_.factor->quadratic_forms(phi, {tile.forms.data(), count}, 1);
        if (!wants_energy()) return;
        const double* weights = state_.weights.data() + part_.first_column;
        for (Index i = 0; i < count; ++i) tile.energies.data()[i] = dot(phi.row(i), weights, phi.cols);
    }

    /// The species has no active environments: phi is zero.
    static void score_unseen(Index count, SpeciesTile& tile) {
        for (AlignedBuffer* buffer : {&tile.forms, &tile.explained, &tile.energies}) {
            std::fill_n(buffer->data(), count, 0.0);
        }
    }

    void write(const SpeciesTile& tile, Index i, Index row) const {
        if (wants_forms()) write_forms(tile.forms.data()[i], state_.info.regularizer, scores_, row);
        if (wants_residual()) scores_.residual.data[row] = std::max(1.0 - tile.explained.data()[i], 0.0);
        if (wants_energy()) scores_.energy.data[row] = part_.baseline + tile.energies.data()[i];
    }

    const ModelState& state_;
    const SpeciesPart& part_;
    ConstMatrixView features_;
    const Scores& scores_;
};

}  // namespace

Model::Model(std::shared_ptr<const ModelState> state) : state_(std::move(state)) {}

Model Model::load(const std::string& path) {
    const MappedFile file(path);
    return from_bytes(file.bytes(), file.size(), path);
}

Model Model::from_bytes(const std::uint8_t* bytes, std::size_t n_bytes, const std::string& name) {
    return Model(read_model(bytes, n_bytes, name));
}

const ModelInfo& Model::info() const& {
    return state_->info;
}

const HessianFactor& Model::factor() const& {
    return state_->factor;
}

void Model::score(ConstMatrixView features, const int* species, const Scores& scores, int n_threads) const {
    const ModelInfo& info = state_->info;
    check_view("features", features);
    if (features.cols != info.n_features) {
        throw InvalidInput(
            "features have " + std::to_string(features.cols) + " columns, this model was fitted to " +
            std::to_string(info.n_features) + "; give those of the same descriptor."
        );
    }
    check_wanted(info, scores, features.rows);
    check_species(info, species, features.rows);
    const int threads = resolve_threads(n_threads);
    auto lease = state_->row_lists.take();
    std::vector<Index>& rows = *lease;
    rows.reserve(static_cast<std::size_t>(features.rows));
    for (std::size_t s = 0; s < info.species.size(); ++s) {
        rows.clear();
        for (Index i = 0; i < features.rows; ++i) {
            if (species[i] == info.species[s]) rows.push_back(i);
        }
        const SpeciesScoring scoring(*state_, state_->parts[s], features, scores);
        for_each_tile(
            static_cast<Index>(rows.size()), threads, state_->tiles,
            [&](SpeciesTile& tile, Index first, Index count) { scoring.run(rows.data() + first, count, tile); }
        );
    }
}

void Model::score_phi(ConstMatrixView phi, const Scores& scores, int n_threads) const {
    const ModelInfo& info = state_->info;
    check_columns("phi", phi, info.size);
    check_wanted(info, scores, phi.rows);
    if (scores.residual.data != nullptr) {
        throw InvalidInput("residual cannot be scored from phi; score features for it.");
    }
    const int threads = resolve_threads(n_threads);
    for_each_tile(phi.rows, threads, state_->tiles, [&](SpeciesTile& tile, Index first, Index count) {
        tile.forms.reserve(tile_columns());
        const ConstMatrixView rows{phi.row(first), count, phi.cols, phi.stride};
        for (Index i = first; i < first + count; ++i) check_environment("phi", phi.row(i), phi.cols, i);
        state_->factor.quadratic_forms(rows, {tile.forms.data(), count}, 1);
        for (Index i = 0; i < count; ++i) {
            write_forms(tile.forms.data()[i], info.regularizer, scores, first + i);
            if (scores.energy.data != nullptr) {
                scores.energy.data[first + i] = dot(rows.row(i), state_->weights.data(), info.size);
            }
        }
    });
}

}  // namespace lpr_fast
