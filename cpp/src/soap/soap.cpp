#include "lpr_fast/soap.hpp"

#include <algorithm>
#include <string>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "lpr_fast/error.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {
namespace {

// Number of centers that a thread takes at a time.
constexpr Index centers_of_task = 64;

void add_centers(const Part& part, std::int32_t number, Index& row, std::vector<Center>& centers) {
    const StructureState& structure = part.structure->state();
    const auto first_new = static_cast<std::ptrdiff_t>(centers.size());
    const auto add = [&](Index place, Index at_row) {
        centers.push_back({number, static_cast<std::int32_t>(place), at_row});
    };
    if (part.atoms != nullptr) {
        for (const Index atom : *part.atoms) {
            if (atom < 0 || atom >= structure.n_centers)
                throw InvalidInput(
                    "center " + std::to_string(atom) + " was asked for, which the structure does not have; it has " +
                    std::to_string(structure.n_centers) + " centers, counted from 0."
                );
            add(structure.place[at(atom)], row++);
        }
        std::sort(centers.begin() + first_new, centers.end(), [](const Center& a, const Center& b) {
            return a.place < b.place;
        });
        return;
    }
    const bool is_whole = part.last < 0;
    if (!is_whole && (part.first < 0 || part.first > part.last || part.last > structure.n_centers))
        throw InvalidInput(
            "centers " + std::to_string(part.first) + " to " + std::to_string(part.last) + " were asked for of " +
            std::to_string(structure.n_centers) + "; give a range of centers, counted from 0."
        );
    const Index last = is_whole ? structure.n_centers : part.last;
    // If all atoms are centers, a center's index in the order is its place, and the search can start there.
    const bool all_are_centers = structure.n_centers == structure.n_atoms();
    Index in_order = all_are_centers ? part.first : 0;
    for (Index place = in_order; in_order < last; ++place) {
        if (!structure.is_center(place)) continue;
        if (in_order >= part.first) add(place, row + (is_whole ? structure.atom[at(place)] : in_order - part.first));
        ++in_order;
    }
    row += last - part.first;
}

}  // namespace

std::vector<Center> centers_of(const SoapState& soap, const std::vector<Part>& parts) {
    std::vector<Center> centers;
    Index row = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].structure == nullptr) throw InvalidInput("the part has no structure; give a pointer to one.");
        const StructureState& structure = parts[i].structure->state();
        if (structure.cutoff != soap.packed.cutoff() || structure.known != soap.species)
            throw InvalidInput(
                structure.name +
                " was made for other species, or another cutoff, than those of the descriptor; make it with the "
                "species and cutoff of the descriptor."
            );
        add_centers(parts[i], static_cast<std::int32_t>(i), row, centers);
    }
    return centers;
}

SoapState::SoapState(const RadialTable& table, std::vector<int> known) : packed(table), species(std::move(known)) {
    if (species.empty() || std::adjacent_find(species.begin(), species.end(), std::greater_equal<>()) != species.end())
        throw InvalidInput(
            "the species of a descriptor must be ascending, at least one; give each atomic number once, in order."
        );
    Index column = 0;
    for (Index a = 0; a < n_species(); ++a)
        for (Index b = a; b < n_species(); ++b) {
            columns.push_back(column);
            column += a == b ? packed.n_folded() : packed.n_plain();
        }
    columns.push_back(column);
}

void expand(const SoapState& soap, const StructureState& structure, Index place, SoapWorkspace& workspace) {
    const PackedBasis& packed = soap.packed;
    const Index size = packed.expansion_size();
    workspace.scratch.reserve(packed.scratch_size());
    workspace.expansions.reserve(soap.n_species() * size);
    workspace.is_empty.assign(soap.species.size(), 1);
    for (Index s = 0; s < soap.n_species(); ++s) {
        const SoapNeighbours neighbours = workspace.surroundings.neighbours(s);
        const bool is_own = structure.species[at(place)] == s;
        if (neighbours.count == 0 && !is_own) continue;
        double* expansion = workspace.expansions.data() + s * size;
        std::fill_n(expansion, size, 0.0);
        hot_soap().expand(packed.basis(), neighbours, workspace.scratch.data(), expansion);
        if (is_own) packed.add_center(expansion);
        workspace.is_empty[at(s)] = 0;
    }
}

void write_features(
    const SoapState& soap, const double* expansions, const std::vector<char>& is_empty, double* features
) {
    const Index size = soap.packed.expansion_size();
    std::size_t pair = 0;
    for (Index a = 0; a < soap.n_species(); ++a)
        for (Index b = a; b < soap.n_species(); ++b, ++pair) {
            double* of_pair = features + soap.columns[pair];
            if (is_empty[at(a)] || is_empty[at(b)])
                std::fill_n(of_pair, soap.columns[pair + 1] - soap.columns[pair], 0.0);
            else
                hot_soap().spectrum(
                    soap.packed.basis(), {expansions + a * size, expansions + b * size, a == b, of_pair}
                );
        }
}

Soap::Soap(const RadialTable& table, std::vector<int> species)
    : state_(std::make_shared<const SoapState>(table, std::move(species))) {}

double Soap::cutoff() const {
    return state_->packed.cutoff();
}

Index Soap::n_features() const {
    return state_->n_features();
}

const std::vector<int>& Soap::species() const& {
    return state_->species;
}

void Soap::features(const std::vector<Part>& parts, MatrixView out, int n_threads) const {
    const SoapState& soap = *state_;
    const std::vector<Center> centers = centers_of(soap, parts);
    const auto count = static_cast<Index>(centers.size());
    check_output("out", out, count, n_features());
    parallel_for_each(tile_count(count, centers_of_task), n_threads, [&](Index task) {
        auto lease = soap.workspaces.take();
        const Index first = task * centers_of_task, last = std::min(first + centers_of_task, count);
        for_each_environment(
            soap, parts, centers.data() + first, last - first, *lease,
            [&](const Center& center, const SoapWorkspace& workspace) {
                const StructureState& structure = parts[at(center.part)].structure->state();
                if (structure.species[at(center.place)] == soap.n_species())
                    std::fill_n(out.row(center.row), out.cols, 0.0);
                else
                    write_features(soap, workspace.expansions.data(), workspace.is_empty, out.row(center.row));
            }
        );
    });
}

std::vector<bool> Soap::sees_unknown_species(const Structure& structure) const {
    const SoapState& soap = *state_;
    const std::vector<Part> parts{{&structure}};
    const std::vector<Center> centers = centers_of(soap, parts);
    std::vector<bool> seen(at(structure.n_centers()));
    SoapWorkspace workspace;
    for_each_environment(
        soap, parts, centers.data(), static_cast<Index>(centers.size()), workspace,
        [&](const Center& center, const SoapWorkspace& used) {
            seen[at(center.row)] = used.surroundings.sees_unknown();
        }
    );
    return seen;
}

}  // namespace lpr_fast
