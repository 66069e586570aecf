#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cut.hpp"
#include "folded_spectrum.hpp"
#include "hypers.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/soap.hpp"

namespace lpr_fast {

namespace {

// Centers are described together until they have so many unfolded features, some hundred megabytes.
constexpr Index batch_values = Index{1} << 24;
constexpr Index most_batch_centers = 8192;

const std::string& hypers_of(const Model& model) {
    if (model.info().hypers.empty())
        throw InvalidInput(
            "the model was fitted to features of another origin than featomic's SOAP power spectrum; compute its "
            "features yourself and call Model::score."
        );
    check_hypers(model.info().hypers);
    return model.info().hypers;
}

void check_output(const char* name, Index size, Index expected) {
    if (size != expected)
        throw InvalidInput(
            std::string(name) + " has room for " + std::to_string(size) + " centers; there are " +
            std::to_string(expected) + "."
        );
}

/// Room for the scores of one batch, where they are wanted.
class BatchScores {
public:
    /// @param wanted  each empty or as long as there are centers
    BatchScores(const Scores& wanted, Index n_centers)
        : targets_{wanted.lpr, wanted.variance, wanted.residual, wanted.energy} {
        constexpr const char* names[] = {"lpr", "variance", "residual", "energy"};
        for (std::size_t k = 0; k < 4; ++k)
            if (targets_[k].data != nullptr) check_output(names[k], targets_[k].size, n_centers);
    }

    Scores of_size(Index n) {
        for (std::size_t k = 0; k < 4; ++k)
            if (targets_[k].data != nullptr) parts_[k].resize(static_cast<std::size_t>(n));
        return {view(0, n), view(1, n), view(2, n), view(3, n)};
    }

    void copy(std::size_t from, Index to) {
        for (std::size_t k = 0; k < 4; ++k)
            if (targets_[k].data != nullptr) targets_[k].data[to] = parts_[k][from];
    }

private:
    VectorView view(std::size_t k, Index n) {
        return targets_[k].data == nullptr ? VectorView{} : VectorView{parts_[k].data(), n};
    }

    VectorView targets_[4];
    std::vector<double> parts_[4];
};

}  // namespace

struct SoapScorer::State {
    explicit State(Model fitted) : model(std::move(fitted)), spectrum(hypers_of(model), model.info().species) {}

    /// Calls `use` with rows of features and the centers that they belong to, a batch at a time.
    template <typename Use>
    void for_each_batch(const Configuration& atoms, const Use& use) {
        cut.prepare(atoms, model.info().species, spectrum.cutoff());
        const Index limit = std::clamp(batch_values / spectrum.n_features(), Index{1}, most_batch_centers);
        for (Index piece = 0; piece < cut.n_pieces();) {
            std::size_t n_clusters = 0;
            centers.clear();
            do {
                if (clusters.size() == n_clusters) clusters.emplace_back();
                Cluster& cluster = clusters[n_clusters++];
                cut.gather(piece++, cluster);
                for (Index i = 0; i < cluster.n_centers(); ++i) centers.push_back(cluster.row(i));
            } while (piece < cut.n_pieces() && static_cast<Index>(centers.size()) + cut.n_centers(piece) <= limit);
            const auto n = static_cast<Index>(centers.size());
            const Index columns = spectrum.n_features();
            if (rows.size() < centers.size() * static_cast<std::size_t>(columns))
                rows.resize(centers.size() * static_cast<std::size_t>(columns));
            const MatrixView features(rows.data(), n, columns);
            spectrum.compute(clusters, n_clusters, features);
            use(ConstMatrixView(features));
        }
    }

    void refuse_unknown_species(const Configuration& atoms) const {
        const std::vector<int>& known = model.info().species;
        const Index n_centers = std::min(atoms.n_centers, atoms.positions.rows);  // more are refused with all else
        for (Index atom = 0; atom < n_centers && atoms.species != nullptr; ++atom)
            if (!std::binary_search(known.begin(), known.end(), atoms.species[atom]))
                throw InvalidInput(
                    "atom " + std::to_string(atom) + " has atomic number " + std::to_string(atoms.species[atom]) +
                    ", which the model does not know; leave it out of the centers."
                );
    }

    Model model;
    FoldedSpectrum spectrum;
    Cut cut;
    std::vector<Cluster> clusters;
    std::vector<Index> centers;  // of the batch
    std::vector<int> species;
    std::vector<double> rows;
};

SoapScorer::SoapScorer(Model model) : state_(std::make_unique<State>(std::move(model))) {
    const Index expected = state_->model.info().n_features, made = state_->spectrum.n_features();
    if (made != expected)
        throw InvalidInput(
            "the model has " + std::to_string(expected) + " features, but this featomic makes " + std::to_string(made) +
            " from its hypers; fit it again."
        );
}

SoapScorer::~SoapScorer() = default;
SoapScorer::SoapScorer(SoapScorer&&) noexcept = default;
SoapScorer& SoapScorer::operator=(SoapScorer&&) noexcept = default;

const Model& SoapScorer::model() const {
    return state_->model;
}

double SoapScorer::cutoff() const {
    return state_->spectrum.cutoff();
}

Index SoapScorer::n_features() const {
    return state_->spectrum.n_features();
}

void SoapScorer::features(const Configuration& atoms, MatrixView out) {
    if (out.rows != atoms.n_centers || out.cols != n_features() || out.stride < out.cols)
        throw InvalidInput(
            "out has shape (" + std::to_string(out.rows) + ", " + std::to_string(out.cols) +
            "); features have shape (" + std::to_string(atoms.n_centers) + ", " + std::to_string(n_features()) + ")."
        );
    for (Index row = 0; row < out.rows; ++row) std::fill_n(out.row(row), out.cols, 0.0);
    state_->for_each_batch(atoms, [&](ConstMatrixView rows) {
        for (Index i = 0; i < rows.rows; ++i)
            std::copy_n(rows.row(i), rows.cols, out.row(state_->centers[static_cast<std::size_t>(i)]));
    });
}

void SoapScorer::score(const Configuration& atoms, const Scores& scores, int n_threads) {
    state_->refuse_unknown_species(atoms);
    BatchScores batch(scores, atoms.n_centers);
    state_->for_each_batch(atoms, [&](ConstMatrixView rows) {
        std::vector<int>& species = state_->species;
        species.clear();
        for (const Index center : state_->centers) species.push_back(atoms.species[center]);
        state_->model.score(rows, species.data(), batch.of_size(rows.rows), n_threads);
        for (std::size_t i = 0; i < state_->centers.size(); ++i) batch.copy(i, state_->centers[i]);
    });
}

}  // namespace lpr_fast
