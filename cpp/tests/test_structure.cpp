#include "lpr_fast/structure.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "check.hpp"
#include "lpr_fast/error.hpp"
#include "structures.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_structure {
namespace {

constexpr double cutoff = 4.3;
const std::vector<int> known{14, 31};

/// Whether two lists have the same neighbours, in any order.
bool are_the_same(std::vector<Neighbour> found, const std::vector<Neighbour>& expected) {
    if (found.size() != expected.size()) return false;
    for (const Neighbour& neighbour : expected) {
        const auto match = std::find_if(found.begin(), found.end(), [&](const Neighbour& other) {
            double square = 0.0;
            for (std::size_t k = 0; k < 3; ++k) square += std::pow(other.vector[k] - neighbour.vector[k], 2);
            return other.atom == neighbour.atom && std::sqrt(square) < 1e-10;
        });
        if (match == found.end()) return false;
        found.erase(match);
    }
    return true;
}

void neighbours_are_those_of_a_loop_over_all_images() {
    for (const Atoms& atoms : structures_of_all_kinds()) {
        const Structure structure(atoms.configuration(), known, cutoff);
        bool all_same = true;
        for (std::size_t i = 0; i < atoms.positions.size(); ++i)
            all_same = all_same &&
                       are_the_same(structure.neighbours(static_cast<Index>(i)), neighbours_by_loops(atoms, i, cutoff));
        report(all_same, __FILE__, __LINE__, "other neighbours in a structure that is " + atoms.name);
    }
}

void the_order_holds_every_center_once() {
    for (const Atoms& atoms : structures_of_all_kinds()) {
        Configuration configuration = atoms.configuration();
        configuration.n_centers = (configuration.n_centers + 1) / 2;
        const Structure structure(configuration, known, cutoff);
        std::vector<Index> order = structure.order(), expected(order.size());
        std::sort(order.begin(), order.end());
        std::iota(expected.begin(), expected.end(), Index{0});
        CHECK(order == expected && static_cast<Index>(order.size()) == configuration.n_centers);
        CHECK(structure.n_centers() == configuration.n_centers);
        CHECK(structure.n_atoms() == static_cast<Index>(atoms.positions.size()));
    }
}

void a_structure_does_not_need_the_arrays_that_it_was_made_from() {
    Atoms atoms = structures_of_all_kinds().front();
    const Structure structure(atoms.configuration(), known, cutoff);
    const std::vector<Neighbour> expected = neighbours_by_loops(atoms, 0, cutoff);
    for (auto& position : atoms.positions) position.fill(0.0);
    CHECK(are_the_same(structure.neighbours(0), expected));
}

void nothing_has_no_neighbours() {
    const Structure empty({}, known, cutoff);
    CHECK(empty.n_atoms() == 0 && empty.order().empty());
    CHECK_THROWS(InvalidInput, "atom 0 does not exist", empty.neighbours(0));
    const Atoms alone{"alone", {{1e6, -3.0, 0.5}}, {14}, {}, {}};
    CHECK(Structure(alone.configuration(), known, cutoff).neighbours(0).empty());
    CHECK_THROWS(
        InvalidInput, "atom -1 does not exist", Structure(alone.configuration(), known, cutoff).neighbours(-1)
    );
}

/// A periodic cube of eight atoms.
Atoms cube() {
    Atoms atoms{"cube", {}, std::vector<int>(8, 14), {5.0, 0, 0, 0, 5.0, 0, 0, 0, 5.0}, {true, true, true}};
    for (unsigned i = 0; i < 8; ++i) atoms.positions.push_back({2.5 * (i & 1U), 2.5 * (i >> 1 & 1U), 2.5 * (i >> 2)});
    return atoms;
}

template <typename Change>
void refuses(const char* sentence, const Change& change) {
    Atoms atoms = cube();
    change(atoms);
    CHECK_THROWS(InvalidInput, sentence, Structure(atoms.configuration(), known, cutoff, "frame 3"));
}

void atoms_at_the_same_place_are_refused() {
    const char* const same = "frame 3 has atoms 2 and 5 at the same place";
    refuses(same, [](Atoms& atoms) { atoms.positions[5] = atoms.positions[2]; });
    refuses(same, [](Atoms& atoms) { atoms.positions[5] = {5.0, 7.5, 0.0}; });
    refuses(same, [](Atoms& atoms) { atoms.positions[5] = {5.0 - 5e-5, 2.5, 5.0 - 5e-5}; });
    refuses(same, [](Atoms& atoms) {
        atoms.cell = {50.0, 0, 0, 0, 50.0, 0, 0, 0, 50.0};  // of several bins
        atoms.positions[2] = {-2e-5, 12.0, 49.99999};
        atoms.positions[5] = {50.00002, 12.0, 3e-5};
    });
    refuses("atoms 2 and 5", [](Atoms& atoms) {
        atoms.periodic.fill(false);
        atoms.positions[5] = atoms.positions[2];
    });
}

void what_is_not_finite_or_not_resolved_is_refused() {
    for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
        refuses("frame 3, atom 4 has a position that is not finite", [&](Atoms& atoms) {
            atoms.positions[4][1] = bad;
        });
        refuses("frame 3 has a cell that is not finite", [&](Atoms& atoms) { atoms.cell[5] = bad; });
        Atoms open = cube();
        open.cell[5] = bad;  // not used, because it is not periodic
        open.periodic[1] = false;
        CHECK(Structure(open.configuration(), known, cutoff).n_atoms() == 8);
    }
    refuses("atom 7 is so far from the origin", [](Atoms& atoms) { atoms.positions[7][2] = 1e9; });
}

void cells_that_cannot_be_meant_are_refused() {
    refuses("cell vectors (5, 0, 0)(0, 5, 0)(5, 5, 0) span no volume", [](Atoms& atoms) {
        atoms.cell = {5, 0, 0, 0, 5, 0, 5, 5, 0};
    });
    refuses("cell vectors (5, 0, 0)(10, 0, 0) span no volume", [](Atoms& atoms) {
        atoms.cell = {5, 0, 0, 10, 0, 0, 0, 0, 0};
        atoms.periodic = {true, true, false};
    });
    refuses("cell vectors (5, 0, 0)(0, 5, 0)(0, 0, 0) span no volume", [](Atoms& atoms) {
        atoms.cell = {5, 0, 0, 0, 5, 0, 0, 0, 0};
    });
    refuses("cell vectors (0, 0, 0) span no volume", [](Atoms& atoms) {
        atoms.cell = {};
        atoms.periodic = {false, true, false};
    });
    refuses("so dense or so flat a cell", [](Atoms& atoms) {
        for (double& entry : atoms.cell) entry *= 0.01;
    });
    refuses("so dense or so flat a cell", [](Atoms& atoms) { atoms.cell[8] = 1e-3; });
    refuses("so dense or so flat a cell", [](Atoms& atoms) {
        atoms.periodic.fill(false);
        for (std::size_t i = 0; i < 4000; ++i) {
            const auto x = static_cast<double>(i);
            atoms.positions.push_back({1.0 + 1e-3 * x, 2.0 + std::sin(x), 3.0 + std::cos(x)});
            atoms.species.push_back(14);
        }
    });
}

void shapes_that_do_not_fit_are_refused() {
    const Atoms atoms = cube();
    const auto refused = [&](const char* sentence, const auto& change) {
        Configuration configuration = atoms.configuration();
        change(configuration);
        CHECK_THROWS(InvalidInput, sentence, Structure(configuration, known, cutoff, "frame 3"));
    };
    refused("positions of frame 3 have shape (8, 2)", [](Configuration& c) { c.positions.cols = 2; });
    refused("positions of frame 3 have shape (-1, 3)", [](Configuration& c) { c.positions.rows = -1; });
    refused("frame 3 has no positions or no species", [](Configuration& c) { c.species = nullptr; });
    refused("frame 3 has no positions or no species", [](Configuration& c) { c.positions.data = nullptr; });
    refused("frame 3 has 9 centers among 8 atoms", [](Configuration& c) { c.n_centers = 9; });
    refused("frame 3 has -1 centers among 8 atoms", [](Configuration& c) { c.n_centers = -1; });
}

const Tests tests("structure", [] {
    run("neighbours are those of a loop over all images", neighbours_are_those_of_a_loop_over_all_images);
    run("the order holds every center once", the_order_holds_every_center_once);
    run("a structure does not need the arrays that it was made from",
        a_structure_does_not_need_the_arrays_that_it_was_made_from);
    run("nothing has no neighbours", nothing_has_no_neighbours);
    run("atoms at the same place are refused", atoms_at_the_same_place_are_refused);
    run("what is not finite or not resolved is refused", what_is_not_finite_or_not_resolved_is_refused);
    run("cells that cannot be meant are refused", cells_that_cannot_be_meant_are_refused);
    run("shapes that do not fit are refused", shapes_that_do_not_fit_are_refused);
});

}  // namespace
}  // namespace test_structure
