#include "lpr_fast/soap.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "check.hpp"
#include "lpr_fast/error.hpp"
#include "problems.hpp"
#include "structures.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_soap {
namespace {

constexpr double cutoff = 4.3;
constexpr double pi = 3.14159265358979323846;
const std::vector<int> known{14, 31};

/// Radial functions that a table represents exactly, (1 - r / cutoff)^2 times a cubic polynomial, and the contribution
/// of a center.
struct Radial {
    std::vector<Index> angular, n_radial;
    std::vector<std::array<double, 6>> powers;  ///< coefficients of (r / cutoff)^k, function by function
    std::vector<double> center;

    Radial(std::vector<Index> l, std::vector<Index> n, unsigned seed) : angular(std::move(l)), n_radial(std::move(n)) {
        std::mt19937_64 generator(seed);
        std::normal_distribution<double> normal;
        for (Index i = std::accumulate(n_radial.begin(), n_radial.end(), Index{0}); i > 0; --i) {
            std::array<double, 6> power{};
            for (std::size_t k = 0; k < 4; ++k) {
                const double factor = normal(generator);
                power[k] += factor;
                power[k + 1] -= 2.0 * factor;
                power[k + 2] += factor;
            }
            powers.push_back(power);
        }
        if (angular.front() == 0)
            for (Index i = 0; i < n_radial.front(); ++i) center.push_back(normal(generator));
    }

    double value(std::size_t function, double r) const {
        double sum = 0.0;
        for (std::size_t k = 6; k-- > 0;) sum = sum * r / cutoff + powers[function][k];
        return sum;
    }

    /// The same polynomials in t from -1 to 1 of each cell, by the binomial theorem.
    RadialTable table(const std::vector<double>& edges) const {
        constexpr double binomial[6][6] = {{1}, {1, 1}, {1, 2, 1}, {1, 3, 3, 1}, {1, 4, 6, 4, 1}, {1, 5, 10, 10, 5, 1}};
        RadialTable table{angular, n_radial, edges, {}, center};
        for (std::size_t cell = 0; cell + 1 < edges.size(); ++cell) {
            const double middle = 0.5 * (edges[cell] + edges[cell + 1]) / cutoff;
            const double half = 0.5 * (edges[cell + 1] - edges[cell]) / cutoff;
            for (std::size_t k = 0; k < 6; ++k)
                for (const auto& power : powers) {
                    double sum = 0.0;
                    for (std::size_t j = k; j < 6; ++j)
                        sum += power[j] * binomial[j][k] * std::pow(middle, static_cast<double>(j - k));
                    table.coefficients.push_back(sum * std::pow(half, static_cast<double>(k)));
                }
        }
        return table;
    }
};

/// Cells of many widths; the narrowest are much narrower than a step of the look-up.
const std::vector<double> edges{0.0, 0.7, 0.8, 1.9, 1.9 + 1e-6, 1.9 + 3e-6, 2.5, 3.1, 4.0, cutoff};

double legendre(Index l, double x) {
    double before = 0.0, value = 1.0;
    for (Index k = 1; k <= l; ++k) {
        const auto n = static_cast<double>(k);
        const double next = ((2.0 * n - 1.0) * x * value - (n - 1.0) * before) / n;
        before = value;
        value = next;
    }
    return value;
}

/// Neighbours of one species; a center is its own neighbour at distance zero.
std::vector<Neighbour> of_species(const Atoms& atoms, std::size_t center, int species) {
    std::vector<Neighbour> chosen;
    for (const Neighbour& neighbour : neighbours_by_loops(atoms, center, cutoff))
        if (atoms.species[static_cast<std::size_t>(neighbour.atom)] == species) chosen.push_back(neighbour);
    if (atoms.species[center] == species) chosen.push_back({static_cast<Index>(center), {}});
    return chosen;
}

/// sum over m of c_anlm c_bn'lm, by the addition theorem, from every pair of neighbours.
double product(
    const Radial& radial, const std::vector<Neighbour>& a, const std::vector<Neighbour>& b, Index l, std::size_t n1,
    std::size_t n2
) {
    const auto size_of = [](const Neighbour& neighbour) {
        return std::sqrt(
            std::inner_product(neighbour.vector.begin(), neighbour.vector.end(), neighbour.vector.begin(), 0.0)
        );
    };
    // The center contributes to l = 0 only, whose functions come first.
    const auto amplitude = [&](std::size_t n, double r) {
        if (r > 0.0) return radial.value(n, r);
        return l == 0 ? radial.center[n] * std::sqrt(4.0 * pi) : 0.0;
    };
    double sum = 0.0;
    for (const Neighbour& first : a)
        for (const Neighbour& second : b) {
            const double r1 = size_of(first), r2 = size_of(second);
            const double dot = std::inner_product(first.vector.begin(), first.vector.end(), second.vector.begin(), 0.0);
            const double cosine = r1 > 0.0 && r2 > 0.0 ? dot / (r1 * r2) : 1.0;
            sum += amplitude(n1, r1) * amplitude(n2, r2) * legendre(l, cosine);
        }
    return sum * (2.0 * static_cast<double>(l) + 1.0) / (4.0 * pi);
}

/// The folded power spectrum of one atom, by its definition.
std::vector<double> spectrum(const Radial& radial, const Atoms& atoms, std::size_t center) {
    std::vector<double> features;
    for (std::size_t s = 0; s < known.size(); ++s)
        for (std::size_t t = s; t < known.size(); ++t) {
            const auto a = of_species(atoms, center, known[s]), b = of_species(atoms, center, known[t]);
            std::size_t first = 0;
            for (std::size_t d = 0; d < radial.angular.size(); ++d) {
                const Index l = radial.angular[d];
                const auto n = static_cast<std::size_t>(radial.n_radial[d]);
                for (std::size_t n1 = 0; n1 < n; ++n1)
                    for (std::size_t n2 = s == t ? n1 : 0; n2 < n; ++n2) {
                        const double sign = l % 2 == 0 ? 1.0 : -1.0;
                        const double twice = s == t && n1 == n2 ? 1.0 : std::sqrt(2.0);
                        const double scale = sign * twice / std::sqrt(2.0 * static_cast<double>(l) + 1.0);
                        features.push_back(scale * product(radial, a, b, l, first + n1, first + n2));
                    }
                first += n;
            }
        }
    return features;
}

Array features_of(const Soap& soap, const std::vector<Part>& parts, Index n_rows, int n_threads = 1) {
    Array out(n_rows, soap.n_features());
    soap.features(parts, {out.values.data(), out.rows, out.cols}, n_threads);
    return out;
}

Array features_of(const Soap& soap, const Atoms& atoms, int n_threads = 1) {
    const Structure structure(atoms.configuration(), soap.species(), soap.cutoff());
    return features_of(soap, {{&structure}}, structure.n_centers(), n_threads);
}

/// Degrees with few functions and with more than the lanes of any vector, without and with gaps between them.
std::vector<Radial> radials() {
    return {{{0, 1, 2, 3, 4}, {3, 3, 3, 3, 3}, 1}, {{0, 2, 5}, {17, 1, 9}, 2}, {{1, 4}, {2, 8}, 3}, {{0}, {1}, 4}};
}

void features_are_those_of_the_definition() {
    for (const Radial& radial : radials()) {
        const Soap soap(radial.table(edges), known);
        for (const Atoms& atoms : structures_of_all_kinds()) {
            const Array found = features_of(soap, atoms);
            double worst = 0.0;
            for (std::size_t i = 0; i < atoms.positions.size(); i += 11) {
                const std::vector<double> expected = spectrum(radial, atoms, i);
                const double largest =
                    std::abs(*std::max_element(expected.begin(), expected.end(), [](double a, double b) {
                        return std::abs(a) < std::abs(b);
                    }));
                CHECK(static_cast<Index>(expected.size()) == found.cols);
                for (std::size_t k = 0; k < expected.size(); ++k) {
                    const double difference =
                        std::abs(found(static_cast<Index>(i), static_cast<Index>(k)) - expected[k]);
                    worst = std::max(worst, difference / (largest > 0.0 ? largest : 1.0));
                }
            }
            report(
                worst < 1e-12, __FILE__, __LINE__, std::to_string(worst) + " off in a structure that is " + atoms.name
            );
        }
    }
}

void neither_threads_nor_parts_nor_calls_change_a_bit() {
    const Soap soap(radials()[1].table(edges), known);
    for (const Atoms& atoms : structures_of_all_kinds()) {
        const Structure structure(atoms.configuration(), known, cutoff);
        const Index n = structure.n_centers();
        const Array whole = features_of(soap, atoms);
        CHECK(features_of(soap, atoms, 3).values == whole.values);

        const std::vector<Index> order = structure.order();
        std::vector<Index> odd, even;
        for (Index i = 0; i < n; ++i) (i % 2 == 0 ? even : odd).push_back(i);
        const std::vector<Part> parts{
            {&structure, n / 2, n}, {&structure, 0, -1, &odd}, {&structure, 0, n / 2}, {&structure, 0, -1, &even}
        };
        std::vector<Index> rows(order.begin() + n / 2, order.end());
        rows.insert(rows.end(), odd.begin(), odd.end());
        rows.insert(rows.end(), order.begin(), order.begin() + n / 2);
        rows.insert(rows.end(), even.begin(), even.end());
        const Array again = features_of(soap, parts, 2 * n, 2);
        bool same = true;
        for (Index i = 0; i < 2 * n; ++i)
            for (Index k = 0; k < whole.cols; ++k)
                same = same && again(i, k) == whole(rows[static_cast<std::size_t>(i)], k);
        report(same, __FILE__, __LINE__, "other bits in parts of a structure that is " + atoms.name);
    }
}

void ghosts_take_the_place_of_images() {
    constexpr int reach = 4;  // atoms are up to three cells apart
    const Soap soap(radials()[0].table(edges), known);
    const std::vector<Atoms> all = structures_of_all_kinds();
    const Atoms periodic =
        *std::find_if(all.begin(), all.end(), [](const Atoms& atoms) { return atoms.name == "turned, open along 0"; });
    Atoms cluster = periodic;
    cluster.periodic.fill(false);
    for (int a = -reach; a <= reach; ++a)
        for (int b = -reach; b <= reach; ++b)
            for (int c = -reach; c <= reach; ++c) {
                if (a == 0 && b == 0 && c == 0) continue;
                const std::array<double, 3> by{static_cast<double>(a), static_cast<double>(b), static_cast<double>(c)};
                for (std::size_t j = 0; j < periodic.positions.size(); ++j) {
                    cluster.positions.push_back(periodic.positions[j]);
                    cluster.species.push_back(periodic.species[j]);
                    for (std::size_t k = 0; k < 9; ++k) cluster.positions.back()[k % 3] += by[k / 3] * periodic.cell[k];
                }
            }
    Configuration configuration = cluster.configuration();
    configuration.n_centers = static_cast<Index>(periodic.positions.size());
    const Structure structure(configuration, known, cutoff);
    const Array found = features_of(soap, {{&structure}}, configuration.n_centers);
    const Array expected = features_of(soap, periodic);
    double worst = 0.0;
    for (std::size_t k = 0; k < found.values.size(); ++k)
        worst = std::max(worst, std::abs(found.values[k] - expected.values[k]));
    CHECK(worst < 1e-11);
}

void atoms_of_other_species_are_left_out_and_told_of() {
    const Soap soap(radials()[0].table(edges), {14});
    for (const Atoms& atoms : structures_of_all_kinds()) {
        const Structure structure(atoms.configuration(), {14}, cutoff);
        const Array found = features_of(soap, atoms);
        const std::vector<bool> sees_unknown = soap.sees_unknown_species(structure);
        for (std::size_t i = 0; i < atoms.positions.size(); ++i) {
            const auto row = found.values.begin() + static_cast<Index>(i) * found.cols;
            const bool is_zero = std::all_of(row, row + found.cols, [](double x) { return x == 0.0; });
            CHECK(is_zero == (atoms.species[i] == 31));
            CHECK(sees_unknown[i] == !of_species(atoms, i, 31).empty());
        }
        Atoms without = atoms;
        without.positions.clear();
        without.species.clear();
        Array kept(0, found.cols);
        for (std::size_t i = 0; i < atoms.positions.size(); ++i) {
            if (atoms.species[i] != 14) continue;
            without.positions.push_back(atoms.positions[i]);
            without.species.push_back(14);
            const auto row = found.values.begin() + static_cast<Index>(i) * found.cols;
            kept.values.insert(kept.values.end(), row, row + found.cols);
            ++kept.rows;
        }
        const Array expected = features_of(soap, without);
        double worst = 0.0, largest = 0.0;
        for (std::size_t k = 0; k < expected.values.size(); ++k) {
            worst = std::max(worst, std::abs(expected.values[k] - kept.values[k]));
            largest = std::max(largest, std::abs(expected.values[k]));
        }
        CHECK(expected.values.size() == kept.values.size() && worst <= 1e-12 * largest);
    }
}

template <typename Change>
void refuses(const char* sentence, const Change& change) {
    RadialTable table = radials()[0].table(edges);
    change(table);
    CHECK_THROWS(InvalidInput, sentence, Soap(table, known));
}

void tables_that_do_not_fit_are_refused() {
    refuses("a number of radial functions for each l", [](RadialTable& table) { table.n_radial.pop_back(); });
    refuses("its l must be ascending", [](RadialTable& table) { std::swap(table.angular[0], table.angular[1]); });
    refuses("from 1 to 1000", [](RadialTable& table) { table.n_radial[2] = 0; });
    refuses("the edges of its cells must ascend from 0", [](RadialTable& table) { table.edges[0] = 0.1; });
    refuses("the edges of its cells must ascend from 0", [](RadialTable& table) {
        std::swap(table.edges[2], table.edges[3]);
    });
    refuses("the edges of its cells must ascend from 0", [](RadialTable& table) { table.edges.clear(); });
    refuses("coefficients, expected ", [](RadialTable& table) { table.coefficients.pop_back(); });
    refuses("it holds NaN or infinity", [](RadialTable& table) { table.coefficients[5] = std::nan(""); });
    refuses("numbers for the contribution of a center to its own species", [](RadialTable& table) {
        table.center.pop_back();
    });
    const RadialTable table = radials()[0].table(edges);
    CHECK_THROWS(InvalidInput, "must be ascending, at least one", Soap(table, {}));
    CHECK_THROWS(InvalidInput, "must be ascending, at least one", Soap(table, {14, 14}));
}

void parts_that_do_not_exist_are_refused() {
    const Soap soap(radials()[0].table(edges), known);
    const Atoms atoms = structures_of_all_kinds().front();
    const Structure structure(atoms.configuration(), known, cutoff);
    const Index n = structure.n_centers();
    const std::vector<Index> beyond{0, n}, negative{-1};
    const auto with = [&](const Part& part, Index n_rows) { return features_of(soap, {part}, n_rows); };
    CHECK_THROWS(InvalidInput, "which the structure does not have", with({&structure, 0, -1, &beyond}, 2));
    CHECK_THROWS(InvalidInput, "which the structure does not have", with({&structure, 0, -1, &negative}, 1));
    CHECK_THROWS(InvalidInput, "were asked for of", with({&structure, 1, n + 1}, n));
    CHECK_THROWS(InvalidInput, "were asked for of", with({&structure, 3, 2}, 0));
    CHECK_THROWS(InvalidInput, "out", with({&structure}, n - 1));
    const Structure wider(atoms.configuration(), known, 2.0 * cutoff), of_others(atoms.configuration(), {14}, cutoff);
    for (const Structure* other : {&wider, &of_others})
        CHECK_THROWS(InvalidInput, "was made for other species, or another cutoff", with({other}, n));
}

const Tests tests("soap", [] {
    run("features are those of the definition", features_are_those_of_the_definition);
    run("neither threads nor parts nor calls change a bit", neither_threads_nor_parts_nor_calls_change_a_bit);
    run("ghosts take the place of images", ghosts_take_the_place_of_images);
    run("atoms of other species are left out and told of", atoms_of_other_species_are_left_out_and_told_of);
    run("tables that do not fit are refused", tables_that_do_not_fit_are_refused);
    run("parts that do not exist are refused", parts_that_do_not_exist_are_refused);
});

}  // namespace
}  // namespace test_soap
