#include "lpr_fast/model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/checks.hpp"
#include "kernels/rows.hpp"
#include "linear_algebra/tiles.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/score_columns.hpp"
#include "model/json_text.hpp"
#include "model/mapped_file.hpp"
#include "model/model_state.hpp"
#include "model/species_tiles.hpp"

namespace lpr_fast {
namespace {

/// @param name  origin of the parts, for messages
std::shared_ptr<const ModelState> assembled(const ModelParts& parts, const std::string& name) {
    std::string reason;
    try {
        return assemble_model(parts);
    } catch (const Error& error) {
        reason = error.what();
        if (!reason.empty() && reason.back() == '.') reason.pop_back();
    } catch (const Json::exception&) {
        reason = "an entry is missing or of the wrong type";
    }
    throw InvalidInput(name + " does not hold the parts of a model (" + reason + "); fit it again.");
}

void check_wanted(const ModelInfo& info, const Scores& scores, Index n_rows) {
    for (const ScoreColumn& column : score_columns) {
        const VectorView out = scores.*(column.view);
        if (out.data == nullptr) continue;
        check_output(column.name, {out.data, 1, out.size}, 1, n_rows);
        if (column.is_given(info)) continue;
        throw InvalidInput(
            std::string(column.name) + " cannot be scored: " + column.why_not + "; ask for other scores."
        );
    }
    const MatrixView of_members = scores.member_energies;
    if (of_members.data == nullptr) return;
    if (info.n_members == 0) {
        throw InvalidInput(
            std::string("member_energies cannot be scored: ") + detail::no_members + "; ask for other scores."
        );
    }
    check_output("member_energies", of_members, n_rows, info.n_members);
}

bool wants_members(const Scores& wanted) {
    return wanted.spread.data != nullptr || wanted.member_energies.data != nullptr;
}

/// Standard deviation of two or more energies, with the divisor count - 1.
double spread_of(const double* energies, Index count) {
    double sum = 0.0;
    for (Index k = 0; k < count; ++k) sum += energies[k];
    const double mean = sum / static_cast<double>(count);
    double squares = 0.0;
    for (Index k = 0; k < count; ++k) squares += (energies[k] - mean) * (energies[k] - mean);
    return std::sqrt(squares / static_cast<double>(count - 1));
}

/// Writes spread and member energies of an environment, as far as they are asked for. All members share the baseline.
void write_members(const double* energies, Index count, double baseline, const Scores& scores, Index row) {
    if (scores.spread.data != nullptr) scores.spread.data[row] = spread_of(energies, count);
    if (scores.member_energies.data == nullptr) return;
    double* out = scores.member_energies.row(row);
    for (Index k = 0; k < count; ++k) out[k] = baseline + energies[k];
}

void check_features(const ModelInfo& info, ConstMatrixView features) {
    check_view("features", features);
    if (features.cols == info.n_features) return;
    throw InvalidInput(
        "features have " + std::to_string(features.cols) + " columns, but this model was fitted to " +
        std::to_string(info.n_features) + "; give features of the model's descriptor."
    );
}

void check_species(const ModelInfo& info, const int* species, Index n_rows) {
    if (species == nullptr && n_rows > 0) {
        throw InvalidInput("there are no species; give the atomic number of every row of features.");
    }
    for (Index i = 0; i < n_rows; ++i) {
        if (std::binary_search(info.species.begin(), info.species.end(), species[i])) continue;
        const std::string given = std::to_string(species[i]);
        throw InvalidInput(
            "row " + std::to_string(i) + " is an environment of species " + given + ", and the model knows " +
            listed(info.species) + " only; fit a model with species " + given + ", or leave that row out."
        );
    }
}

bool wants_reference(const Scores& wanted) {
    return wanted.percentile.data != nullptr || wanted.verdict.data != nullptr;
}

/// Views of the buffers of a tile for those scores that are needed.
FormScores forms_in(SpeciesTile& tile, Index count, const Scores& wanted, const ModelInfo& info) {
    const bool has_held = info.has_held;
    FormScores forms;
    forms.scale = info.regularizer;
    if (wanted.lpr.data != nullptr || (wants_reference(wanted) && !has_held)) forms.lpr = {tile.lpr.data(), count};
    if (wanted.variance.data != nullptr || wanted.sigma.data != nullptr) forms.variance = {tile.variance.data(), count};
    if (wanted.lpr_held.data != nullptr || (wants_reference(wanted) && has_held)) {
        forms.lpr_held = {tile.lpr_held.data(), count};
    }
    return forms;
}

/// Scores environments of one species: those at `rows` of the features.
class SpeciesScoring {
public:
    SpeciesScoring(const ModelState& state, const SpeciesPart& part, ConstMatrixView features, const Scores& scores)
        : state_(state), part_(part), features_(features), scores_(scores) {}

    void run(const Index* rows, Index count, SpeciesTile& tile) const {
        gather(state_, features_, rows, count, tile);
        for (AlignedBuffer* buffer : {&tile.variance, &tile.lpr, &tile.lpr_held, &tile.explained, &tile.energies}) {
            buffer->reserve(tile_columns());
        }
        tile.member_energies.reserve(tile_columns() * state_.info.n_members);
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
    bool wants_residual() const { return scores_.residual.data != nullptr; }
    bool wants_sigma() const { return scores_.sigma.data != nullptr; }
    bool needs_residual() const {
        return wants_residual() || wants_reference(scores_) || (wants_sigma() && state_.info.projected_sigma);
    }
    bool wants_energy() const { return scores_.local_energy.data != nullptr; }

    ConstMatrixView gathered(Index count, const SpeciesTile& tile) const {
        return {tile.features.data(), count, gathered_columns(state_.info)};
    }

    void score_kernels(Index count, SpeciesTile& tile) const {
        KernelScores wanted;
        wanted.forms = forms_in(tile, count, scores_, state_.info);
        if (needs_residual()) wanted.explained = {tile.explained.data(), count};
        if (wants_energy()) wanted.energies = {tile.energies.data(), count};
        if (wants_members(scores_))
            wanted.member_energies = {tile.member_energies.data(), count, state_.info.n_members};
        part_.scorer->score(gathered(count, tile), wanted, 1);
    }

    void score_linear(Index count, SpeciesTile& tile) const {
        const ConstMatrixView phi = gathered(count, tile);
        part_.factor->score(phi, forms_in(tile, count, scores_, state_.info), 1);
        const double* weights = wants_energy() ? state_.weights.data + part_.first_column : nullptr;
        for (Index i = 0; wants_energy() && i < count; ++i) {
            tile.energies.data()[i] = dot(phi.row(i), weights, phi.cols);
        }
        if (!wants_members(scores_)) return;
        double* energies = tile.member_energies.data();
        for (Index i = 0; i < count; ++i) {
            for (Index k = 0; k < state_.info.n_members; ++k) {
                *energies++ = dot(phi.row(i), state_.members.row(k) + part_.first_column, phi.cols);
            }
        }
    }

    /// The species has no active environments: phi is zero.
    void score_unseen(Index count, SpeciesTile& tile) const {
        for (AlignedBuffer* buffer : {&tile.lpr, &tile.lpr_held}) {
            std::fill_n(buffer->data(), count, std::numeric_limits<double>::infinity());
        }
        for (AlignedBuffer* buffer : {&tile.variance, &tile.explained, &tile.energies}) {
            std::fill_n(buffer->data(), count, 0.0);
        }
        std::fill_n(tile.member_energies.data(), count * state_.info.n_members, 0.0);
    }

    static double residual(const SpeciesTile& tile, Index i) { return std::max(1.0 - tile.explained.data()[i], 0.0); }

    double sigma(const SpeciesTile& tile, Index i) const {
        const double unseen = state_.info.projected_sigma ? residual(tile, i) : 0.0;
        return std::sqrt(state_.info.prior_variance * (tile.variance.data()[i] + unseen));
    }

    void write(const SpeciesTile& tile, Index i, Index row) const {
        if (scores_.lpr.data != nullptr) scores_.lpr.data[row] = tile.lpr.data()[i];
        if (scores_.lpr_held.data != nullptr) scores_.lpr_held.data[row] = tile.lpr_held.data()[i];
        if (scores_.variance.data != nullptr) scores_.variance.data[row] = tile.variance.data()[i];
        if (wants_residual()) scores_.residual.data[row] = residual(tile, i);
        if (wants_sigma()) scores_.sigma.data[row] = sigma(tile, i);
        if (wants_energy()) scores_.local_energy.data[row] = part_.baseline + tile.energies.data()[i];
        if (wants_reference(scores_)) compare(tile, i, row);
        if (!wants_members(scores_)) return;
        const Index n_members = state_.info.n_members;
        write_members(tile.member_energies.data() + i * n_members, n_members, part_.baseline, scores_, row);
    }

    /// Compares the scores with those of the training environments.
    void compare(const SpeciesTile& tile, Index i, Index row) const {
        const SpeciesReference& reference = *part_.reference;
        const double lpr = (state_.info.has_held ? tile.lpr_held : tile.lpr).data()[i];
        if (scores_.percentile.data != nullptr) scores_.percentile.data[row] = reference.rigidity.percent_below(lpr);
        if (scores_.verdict.data == nullptr) return;
        const double unseen = state_.info.has_residual ? residual(tile, i) : 0.0;
        scores_.verdict.data[row] = static_cast<double>(reference.verdict(lpr, unseen));
    }

    const ModelState& state_;
    const SpeciesPart& part_;
    ConstMatrixView features_;
    const Scores& scores_;
};

/// Writes rows phi of environments of one species; their other columns of `out` must be zero already.
void write_phi(
    const ModelState& state, const SpeciesPart& part, ConstMatrixView features, const Index* rows, Index count,
    SpeciesTile& tile, MatrixView out
) {
    gather(state, features, rows, count, tile);
    const double* values = tile.features.data();
    if (part.scorer) {
        tile.phi.reserve(tile_columns() * part.width);
        part.scorer->phi({values, count, features.cols}, {tile.phi.data(), count, part.width}, 1);
        values = tile.phi.data();
    }
    for (Index i = 0; i < count; ++i) {
        std::copy_n(values + i * part.width, part.width, out.row(rows[i]) + part.first_column);
    }
}

}  // namespace

Model::Model(std::shared_ptr<const ModelState> state) : state_(std::move(state)) {}

Model Model::load(const std::string& path) {
    if (path.empty()) throw InvalidInput("the path of the model file is empty; give the name of a model file.");
    const MappedFile file(path);
    return from_bytes(file.bytes(), file.size(), path);
}

Model Model::from_bytes(const std::uint8_t* bytes, std::size_t n_bytes, const std::string& name) {
    return Model(assembled(read_model_parts(bytes, n_bytes, name), name));
}

Model Model::from_parts(const ModelParts& parts) {
    return Model(assembled(parts, "the input"));
}

const ModelParts& Model::parts() const& {
    return state_->parts;
}

const ModelInfo& Model::info() const& {
    return state_->info;
}

const HessianFactor& Model::factor() const& {
    return state_->factors.at("hessian");
}

ConstVectorView Model::weights() const& {
    return state_->weights;
}

ConstMatrixView Model::members() const& {
    return state_->members;
}

ConstMatrixView Model::active() const& {
    return state_->active;
}

void Model::score(ConstMatrixView features, const int* species, const Scores& scores, int n_threads) const {
    const ModelInfo& info = state_->info;
    check_features(info, features);
    check_wanted(info, scores, features.rows);
    check_species(info, species, features.rows);
    for_each_species_tile(
        *state_, species, features.rows, resolve_threads(n_threads),
        [&](std::size_t s, SpeciesTile& tile, const Index* rows, Index count) {
            SpeciesScoring(*state_, state_->species[s], features, scores).run(rows, count, tile);
        }
    );
}

void Model::phi(ConstMatrixView features, const int* species, MatrixView out, int n_threads) const {
    const ModelInfo& info = state_->info;
    check_features(info, features);
    check_species(info, species, features.rows);
    check_output("out", out, features.rows, info.size);
    for (Index i = 0; i < out.rows; ++i) std::fill_n(out.row(i), info.size, 0.0);
    for_each_species_tile(
        *state_, species, features.rows, resolve_threads(n_threads),
        [&](std::size_t s, SpeciesTile& tile, const Index* rows, Index count) {
            write_phi(*state_, state_->species[s], features, rows, count, tile, out);
        }
    );
}

const RadialTable& Model::radial_table() const& {
    const DescriptorPart& descriptor = state_->descriptor;
    if (descriptor.kind != "soap")
        throw InvalidInput(
            "the model was fitted to features of another origin than SOAP power spectra; compute its features yourself "
            "and call Model::score."
        );
    if (!descriptor.table)
        throw InvalidInput(
            "the model file has no radial integrals, because it is of version 1; convert it with lpr-fast upgrade."
        );
    return *descriptor.table;
}

void Model::score_phi(ConstMatrixView phi, const Scores& scores, int n_threads) const {
    const ModelInfo& info = state_->info;
    check_columns("phi", phi, info.size);
    check_wanted(info, scores, phi.rows);
    for (const VectorView Scores::* column :
         {&Scores::residual, &Scores::sigma, &Scores::percentile, &Scores::verdict}) {
        if ((scores.*column).data == nullptr) continue;
        throw InvalidInput(
            "residual, sigma, percentile and verdict cannot be scored from phi; score features for them."
        );
    }
    const int threads = resolve_threads(n_threads);
    factor().score(phi, {scores.lpr, scores.variance, scores.lpr_held, info.regularizer}, threads);
    if (scores.local_energy.data == nullptr && !wants_members(scores)) return;
    for_each_tile(phi.rows, threads, state_->tiles, [&](SpeciesTile& tile, Index first, Index count) {
        tile.member_energies.reserve(info.n_members);
        double* energies = tile.member_energies.data();
        for (Index i = first; i < first + count; ++i) {
            check_environment("phi", phi.row(i), phi.cols, i);
            const auto energy_by = [&](const double* weights) { return dot(phi.row(i), weights, info.size); };
            if (scores.local_energy.data != nullptr) scores.local_energy.data[i] = energy_by(state_->weights.data);
            if (!wants_members(scores)) continue;
            for (Index k = 0; k < info.n_members; ++k) energies[k] = energy_by(state_->members.row(k));
            write_members(energies, info.n_members, 0.0, scores, i);
        }
    });
}

}  // namespace lpr_fast
