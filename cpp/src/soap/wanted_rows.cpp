#include "soap/wanted_rows.hpp"

#include <algorithm>

#include "base/at.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {
namespace {

constexpr Index n_strains = 6;

void append(RowGroup& group, Index first, Index count) {
    group.depth += count;
    if (!group.segments.empty() && group.segments.back().first + group.segments.back().count == first)
        group.segments.back().count += count;
    else
        group.segments.push_back({first, count});
}

}  // namespace

std::vector<RowGroup> row_groups(const SoapState& soap) {
    std::vector<RowGroup> groups(at(1 + soap.n_species()));
    std::size_t pair = 0;
    for (Index a = 0; a < soap.n_species(); ++a)
        for (Index b = a; b < soap.n_species(); ++b, ++pair) {
            const Index first = soap.columns[pair], count = soap.columns[pair + 1] - first;
            append(groups[0], first, count);
            append(groups[at(1 + a)], first, count);
            if (a != b) append(groups[at(1 + b)], first, count);
        }
    return groups;
}

void WantedRows::choose(const Environment& environment, const WantedAtoms& wanted) {
    center_ = environment.center;
    has_center_ = wanted.has(center_);
    has_strain_ = wanted.with_strain;
    atoms_.clear();
    first_.assign(1, 0);
    place_.clear();
    for (std::size_t s = 0; s + 1 < environment.first.size(); ++s) {
        const Index begin = first_.back();
        for (Index j = environment.first[s]; j < environment.first[s + 1]; ++j) {
            const std::int32_t atom = environment.atoms[at(j)];
            // An image of the center moves with it, so its vector does not change.
            if (!wanted.has(atom) || atom == center_) {
                place_.push_back(-1);
                continue;
            }
            const auto found = std::find(atoms_.begin() + begin, atoms_.end(), atom);
            place_.push_back(found - atoms_.begin() - begin);
            if (found == atoms_.end()) atoms_.push_back(atom);
        }
        first_.push_back(static_cast<Index>(atoms_.size()));
    }
}

Index WantedRows::count(Index group) const {
    if (group == 0) return (has_center_ ? 3 : 0) + (has_strain_ ? n_strains : 0);
    return 3 * (first_[at(group)] - first_[at(group - 1)]);
}

Index WantedRows::target(Index group, Index row, const WantedAtoms& wanted) const {
    if (group > 0) return 3 * wanted.place[at(atoms_[at(first_[at(group - 1)] + row / 3)])] + row % 3;
    if (has_center_ && row < 3) return 3 * wanted.place[at(center_)] + row;
    return 3 * wanted.count + row - (has_center_ ? 3 : 0);
}

}  // namespace lpr_fast
