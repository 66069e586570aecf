#include "folded_spectrum.hpp"

#include <algorithm>
#include <cmath>

#include "lpr_fast/error.hpp"

namespace lpr_fast {

namespace {

/// What the call returns, with exceptions of featomic and metatensor made ours.
template <typename Call>
auto translated(const Call& call) {
    const auto refused = [](std::string reason) {
        std::replace(reason.begin(), reason.end(), '\n', ' ');
        while (!reason.empty() && (reason.back() == '.' || reason.back() == ' ')) reason.pop_back();
        return InvalidInput("featomic refused the model's hypers or the atoms: " + reason + ".");
    };
    try {
        return call();
    } catch (const featomic::FeatomicError& error) {
        throw refused(error.what());
    } catch (const metatensor::Error& error) {
        throw refused(error.what());
    }
}

/// All (center, a, b) with a <= b.
metatensor::Labels keys_of(const std::vector<int>& species) {
    std::vector<int32_t> keys;
    for (const int center : species)
        for (std::size_t a = 0; a < species.size(); ++a)
            for (std::size_t b = a; b < species.size(); ++b) keys.insert(keys.end(), {center, species[a], species[b]});
    return {{"center_type", "neighbor_1_type", "neighbor_2_type"}, keys.data(), keys.size() / 3};
}

std::size_t position_of(const metatensor::Labels& labels, const std::string& name) {
    const std::vector<const char*> names = labels.names();
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) throw InvalidInput("featomic's features have no " + name + "; use featomic 0.6.");
    return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

FoldedSpectrum::FoldedSpectrum(const std::string& hypers, const std::vector<int>& species)
    : calculator_(translated([&] { return featomic::Calculator("soap_power_spectrum", hypers); })),
      species_(species),
      keys_(translated([&] { return keys_of(species); })) {
    const std::vector<double> cutoffs = translated([&] { return calculator_.cutoffs(); });
    cutoff_ = *std::max_element(cutoffs.begin(), cutoffs.end());
    translated([&] { read_columns(species.front()); });
}

/// n_1 and n_2 of the features of a pair of species, read off a lone atom.
void FoldedSpectrum::read_columns(int species) {
    std::vector<Cluster> lone(1);
    lone.front().add({0.0, 0.0, 0.0}, species, 0);
    metatensor::TensorMap spectra = calculator_.compute(lone);
    const metatensor::Labels properties = spectra.block_by_id(0).properties();
    const std::size_t n1 = position_of(properties, "n_1"), n2 = position_of(properties, "n_2");
    const auto values = properties.values_cpu();
    for (std::size_t column = 0; column < properties.count(); ++column) {
        all_.push_back({column, 1.0});
        if (values(column, n1) > values(column, n2)) continue;
        folded_.push_back({column, values(column, n1) < values(column, n2) ? std::sqrt(2.0) : 1.0});
    }
    n_features_ = column_of(species_.back(), species_.back()) + static_cast<Index>(folded_.size());
}

/// First column of a pair of neighbour species; pairs follow one another as the keys of one center species.
Index FoldedSpectrum::column_of(int first, int second) const {
    Index column = 0;
    for (std::size_t a = 0; a < species_.size(); ++a)
        for (std::size_t b = a; b < species_.size(); ++b) {
            if (species_[a] == first && species_[b] == second) return column;
            column += static_cast<Index>(a == b ? folded_.size() : all_.size());
        }
    return column;
}

metatensor::Labels FoldedSpectrum::centers_of(const std::vector<Cluster>& clusters, std::size_t n_clusters) {
    samples_.clear();
    first_row_.clear();
    Index row = 0;
    for (std::size_t system = 0; system < n_clusters; ++system) {
        first_row_.push_back(row);
        const Index n_centers = clusters[system].n_centers();
        for (Index atom = 0; atom < n_centers; ++atom)
            samples_.insert(samples_.end(), {static_cast<int32_t>(system), static_cast<int32_t>(atom)});
        row += n_centers;
    }
    return {{"system", "atom"}, samples_.data(), samples_.size() / 2, metatensor::assume_unique{}};
}

void FoldedSpectrum::compute(std::vector<Cluster>& clusters, std::size_t n_clusters, MatrixView out) {
    for (Index row = 0; row < out.rows; ++row) std::fill_n(out.row(row), n_features_, 0.0);
    systems_.clear();
    for (std::size_t i = 0; i < n_clusters; ++i) systems_.push_back(clusters[i].as_featomic_system_t());
    translated([&] {
        featomic::CalculationOptions options;
        options.selected_samples = featomic::LabelsSelection::subset(centers_of(clusters, n_clusters));
        options.selected_keys = keys_;
        metatensor::TensorMap spectra = calculator_.compute(systems_, std::move(options));
        const metatensor::Labels labels = spectra.keys();
        const auto keys = labels.values_cpu();
        for (std::size_t block = 0; block < labels.count(); ++block) {
            const int a = keys(block, 1), b = keys(block, 2);
            copy_block(spectra.block_by_id(block), column_of(a, b), a == b ? folded_ : all_, out);
        }
    });
    for (std::size_t i = 0; i < n_clusters; ++i) clusters[i].check_pairs();
}

void FoldedSpectrum::copy_block(
    metatensor::TensorBlock block, Index column, const std::vector<Kept>& kept, MatrixView out
) const {
    const metatensor::Labels labels = block.samples();
    const std::size_t n_samples = labels.count();
    if (n_samples == 0) return;
    const std::size_t system = position_of(labels, "system"), atom = position_of(labels, "atom");
    const auto samples = labels.values_cpu();
    const auto values = block.values();
    const std::size_t width = values.shape()[1], label_size = samples.shape()[1];
    for (std::size_t sample = 0; sample < n_samples; ++sample) {
        const int32_t* label = samples.data() + sample * label_size;
        const double* from = values.data() + sample * width;
        double* to = out.row(first_row_[static_cast<std::size_t>(label[system])] + label[atom]) + column;
        for (const Kept& feature : kept) *to++ = from[feature.column] * feature.factor;
    }
}

}  // namespace lpr_fast
