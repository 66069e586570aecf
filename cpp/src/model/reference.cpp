#include "model/reference.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>

#include "base/at.hpp"
#include "model/model_entries.hpp"

namespace lpr_fast {
namespace {

constexpr int dropped_bits = 42;
constexpr Index zero_bin = 0;
constexpr Index infinite_bin = Index{0x7ff} << 10;
constexpr double infinity = std::numeric_limits<double>::infinity();

Index bin_of_value(double value) {
    if (!(value > 0.0)) return zero_bin;
    std::int64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    return std::max<Index>(bits >> dropped_bits, zero_bin + 1);
}

double low_end_of(Index bin) {
    const std::int64_t bits = static_cast<std::int64_t>(bin) << dropped_bits;
    double value = 0.0;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

bool is_wide(Index bin) {
    return bin != zero_bin && bin != infinite_bin;
}

double high_end_of(Index bin) {
    return is_wide(bin) ? low_end_of(bin + 1) : low_end_of(bin);
}

template <typename Compare>
bool is_ordered(const std::vector<Index>& values, const Compare& breaks) {
    return std::adjacent_find(values.begin(), values.end(), breaks) == values.end();
}

double as_percent(const Json& value, const std::string& name) {
    const double percent = as_not_negative(value, name);
    if (percent > 100.0) refuse_parts(name + " is above 100 percent");
    return percent;
}

Distribution read_distribution(const ModelParts& parts, const std::string& column, int species) {
    const std::string name = "reference." + column + "." + std::to_string(species);
    return {indices(parts, name + ".bins"), indices(parts, name + ".counts"), name};
}

}  // namespace

Distribution::Distribution(std::vector<Index> bins, std::vector<Index> counts, const std::string& name)
    : bins_(std::move(bins)), counts_(std::move(counts)) {
    if (bins_.empty() || bins_.size() != counts_.size()) refuse_parts(name + " does not have one count for each bin");
    if (bins_.front() < zero_bin || bins_.back() > infinite_bin || !is_ordered(bins_, std::greater_equal<>())) {
        refuse_parts("the bins of " + name + " do not ascend from zero to infinity");
    }
    if (counts_.front() <= 0 || !is_ordered(counts_, std::greater_equal<>())) {
        refuse_parts("the counts of " + name + " do not grow from bin to bin");
    }
}

double Distribution::percent_below(double value) const {
    const Index bin = bin_of_value(value);
    const auto place = std::lower_bound(bins_.begin(), bins_.end(), bin);
    const auto k = static_cast<std::size_t>(place - bins_.begin());
    double below = k == 0 ? 0.0 : static_cast<double>(counts_[k - 1]);
    if (place != bins_.end() && *place == bin && is_wide(bin)) {
        const double low = low_end_of(bin);
        const double share = std::max(0.0, (value - low) / (high_end_of(bin) - low));
        below += share * (static_cast<double>(counts_[k]) - below);
    }
    return 100.0 * below / static_cast<double>(counts_.back());
}

std::size_t Distribution::bin_of(double percent) const {
    const double wanted = percent * static_cast<double>(counts_.back());
    const auto reaches = [](Index count, double least) { return 100.0 * static_cast<double>(count) < least; };
    const auto place = std::lower_bound(counts_.begin(), counts_.end() - 1, wanted, reaches);
    return static_cast<std::size_t>(place - counts_.begin());
}

double Distribution::low_end(double percent) const {
    return low_end_of(bins_[bin_of(percent)]);
}

double Distribution::high_end(double percent) const {
    return high_end_of(bins_[bin_of(percent)]);
}

Verdict SpeciesReference::verdict(double lpr, double residual) const {
    if (residual > unlike_above) return Verdict::unlike;
    return lpr < loose_below ? Verdict::loose : Verdict::pinned;
}

std::vector<SpeciesReference> read_references(const Json& facts, const ModelParts& parts, const ModelInfo& info) {
    std::vector<SpeciesReference> references;
    if (facts.count("reference") == 0) return references;
    const Json& limits = facts.at("reference");
    const double loose = as_percent(limits.at("loose"), "the limit of loose environments");
    const double unlike = as_percent(limits.at("unlike"), "the limit of unlike environments");
    const double smallest = as_not_negative(limits.at("smallest_residual"), "the smallest residual");
    for (const int species : info.species) {
        SpeciesReference reference{
            read_distribution(parts, info.has_held ? "lpr_held" : "lpr", species), 0.0, infinity
        };
        reference.loose_below = reference.rigidity.low_end(loose);
        if (info.has_residual) {
            const Distribution residual = read_distribution(parts, "residual", species);
            reference.unlike_above = std::max(residual.high_end(unlike), smallest);
        }
        references.push_back(std::move(reference));
    }
    return references;
}

}  // namespace lpr_fast
