#include "soap/packed_basis.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "base/at.hpp"
#include "base/parallel.hpp"
#include "hot/instruction_set.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

// Larger numbers are taken for a damaged file.
constexpr Index largest_l = 100;
constexpr Index most_radial = 1000;
constexpr double largest_edge = 1000.0;

constexpr double most_steps = 65536.0;

// A radial function whose value at the cutoff exceeds this share of its largest value has a step there. Smooth
// functions are zero there, to within the error of the table.
constexpr double smallest_step = 1e-9;

constexpr double pi = 3.14159265358979323846;

[[noreturn]] void refuse(const std::string& what) {
    throw InvalidInput("the radial table of the descriptor cannot be used: " + what + "; fit the model again.");
}

void check(const RadialTable& table) {
    if (table.angular.empty() || table.angular.size() != table.n_radial.size())
        refuse("it must have a number of radial functions for each l, and at least one l");
    Index before = -1, n_channels = 0;
    for (std::size_t d = 0; d < table.angular.size(); ++d) {
        const Index l = table.angular[d], n = table.n_radial[d];
        if (l <= before || l > largest_l) refuse("its l must be ascending, from 0 to 100");
        if (n < 1 || n > most_radial) refuse("its numbers of radial functions must be from 1 to 1000");
        before = l;
        n_channels += n;
    }
    const std::size_t n_cells = table.edges.empty() ? 0 : table.edges.size() - 1;
    if (n_cells == 0 || table.edges.front() != 0.0 || !std::isfinite(table.edges.back()) ||
        std::adjacent_find(table.edges.begin(), table.edges.end(), std::greater_equal<>()) != table.edges.end())
        refuse("the edges of its cells must ascend from 0");
    if (table.edges.back() > largest_edge) refuse("it ends beyond 1000");
    if (table.coefficients.size() != n_cells * (table_degree + 1) * at(n_channels))
        refuse(
            "it has " + std::to_string(table.coefficients.size()) + " coefficients, expected " +
            std::to_string(n_cells * (table_degree + 1) * at(n_channels))
        );
    const auto all_finite = [](const std::vector<double>& values) {
        return std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
    };
    if (!all_finite(table.coefficients) || !all_finite(table.center)) refuse("it holds NaN or infinity");
    const Index n_center = table.angular.front() == 0 ? table.n_radial.front() : 0;
    if (static_cast<Index>(table.center.size()) != n_center)
        refuse(
            "it has " + std::to_string(table.center.size()) +
            " numbers for the contribution of a center to its own species, expected " + std::to_string(n_center)
        );
}

#if defined(LPR_FAST_HAS_X86_LEVELS)
/// The one of three tables of functions that has the instruction set of hot_kernels().
template <typename Table>
const Table& chosen(const Table& baseline, const Table& v3, const Table& v4) {
    if (&hot_kernels() == &hot_kernels_v4) return v4;
    return &hot_kernels() == &hot_kernels_v3 ? v3 : baseline;
}
#endif

/// Whether radial functions jump to zero at the cutoff.
bool is_step_at_cutoff(const RadialTable& table) {
    constexpr Index n_powers = table_degree + 1;
    const auto n_cells = static_cast<Index>(table.edges.size()) - 1,
               n_channels = static_cast<Index>(table.coefficients.size()) / n_cells / n_powers;
    const double* coefficients = table.coefficients.data();
    double largest = 0.0, at_cutoff = 0.0;
    for (Index channel = 0; channel < n_channels; ++channel) {
        for (Index cell = 0; cell < n_cells; ++cell)
            largest = std::max(largest, std::abs(coefficients[cell * n_powers * n_channels + channel]));
        double sum = 0.0;
        for (Index k = 0; k < n_powers; ++k) sum += coefficients[((n_cells - 1) * n_powers + k) * n_channels + channel];
        at_cutoff = std::max(at_cutoff, std::abs(sum));
    }
    return at_cutoff > smallest_step * largest;
}

}  // namespace

const HotSoap& hot_soap() {
#if defined(LPR_FAST_HAS_X86_LEVELS)
    static const HotSoap& loops = chosen(hot_soap_baseline, hot_soap_v3, hot_soap_v4);
    return loops;
#else
    return hot_soap_baseline;
#endif
}

const HotSoapGradient& hot_soap_gradient() {
#if defined(LPR_FAST_HAS_X86_LEVELS)
    static const HotSoapGradient& loops =
        chosen(hot_soap_gradient_baseline, hot_soap_gradient_v3, hot_soap_gradient_v4);
    return loops;
#else
    return hot_soap_gradient_baseline;
#endif
}

PackedBasis::PackedBasis(const RadialTable& table) {
    check(table);
    has_step_ = is_step_at_cutoff(table);
    edges_ = table.edges;
    cutoff_ = edges_.back();
    center_ = table.center;
    pack_degrees(table);
    pack_cells();
    pack_coefficients(table);
    pack_harmonics();
    pack_way_back();
}

Index PackedBasis::scratch_size() const {
    const Index n_harmonics = (basis_.largest_l + 1) * (basis_.largest_l + 1);
    return soap_chunk * (1 + n_harmonics + basis_.n_blocks * hot_soap().width);
}

Index PackedBasis::kept_size(Index n_neighbours) const {
    const Index n_harmonics = (basis_.largest_l + 1) * (basis_.largest_l + 1);
    const Index per_neighbour = 1 + n_harmonics + 2 * basis_.n_blocks * hot_soap().width;
    return tile_count(n_neighbours, soap_chunk) * soap_chunk * per_neighbour;
}

Index PackedBasis::gradient_scratch_size() const {
    const Index n_harmonics = (basis_.largest_l + 1) * (basis_.largest_l + 1);
    return std::max(basis_.n_rows + n_harmonics, 3 * n_harmonics) * hot_soap().width;
}

bool PackedBasis::has_no_center() const {
    return std::all_of(center_.begin(), center_.end(), [](double x) { return x == 0.0; });
}

void PackedBasis::add_center(double* expansion) const {
    // The blocks of l = 0 come first, and each of them has one row.
    for (std::size_t n = 0; n < center_.size(); ++n) expansion[n] += center_[n];
}

void PackedBasis::pack_degrees(const RadialTable& table) {
    const Index width = hot_soap().width;
    for (std::size_t d = 0; d < table.angular.size(); ++d) {
        const Index l = table.angular[d], n = table.n_radial[d];
        const double factor = (l % 2 == 0 ? 1.0 : -1.0) / std::sqrt(2.0 * static_cast<double>(l) + 1.0);
        degrees_.push_back({l, n, static_cast<Index>(blocks_.size()), tile_count(n, width), factor});
        for (Index first = 0; first < n; first += width) {
            blocks_.push_back({l, basis_.n_rows, std::min(width, n - first)});
            basis_.n_rows += 2 * l + 1;
        }
        n_folded_ += n * (n + 1) / 2;
        n_plain_ += n * n;
    }
    basis_.blocks = blocks_.data();
    basis_.degrees = degrees_.data();
    basis_.n_blocks = static_cast<Index>(blocks_.size());
    basis_.n_degrees = static_cast<Index>(degrees_.size());
    basis_.largest_l = table.angular.back();
}

void PackedBasis::pack_cells() {
    const std::size_t n_cells = edges_.size() - 1;
    for (std::size_t c = 0; c < n_cells; ++c) {
        middles_.push_back(0.5 * (edges_[c] + edges_[c + 1]));
        inverse_halves_.push_back(2.0 / (edges_[c + 1] - edges_[c]));
    }
    // A step is at most half of the narrowest cell, unless that takes too many steps: then it contains at most one
    // edge.
    double narrowest = edges_.back();
    for (std::size_t c = 0; c < n_cells; ++c) narrowest = std::min(narrowest, edges_[c + 1] - edges_[c]);
    const double n_steps = std::min(std::ceil(2.0 * edges_.back() / narrowest), most_steps);
    basis_.steps_per_length = n_steps / edges_.back();
    std::size_t cell = 0;
    for (double step = 0.0; step <= n_steps; ++step) {
        // Slightly before the step begins, because a length may be rounded into the next step.
        const double begin = (step - 1e-6) / basis_.steps_per_length;
        while (cell + 1 < n_cells && edges_[cell + 1] <= begin) ++cell;
        first_cell_.push_back(static_cast<std::int32_t>(cell));
    }
    // The root of a square below that of the cutoff may round to the cutoff, so the last cell has no upper edge.
    edges_.back() = std::numeric_limits<double>::infinity();
    basis_.edges = edges_.data();
    basis_.middles = middles_.data();
    basis_.inverse_halves = inverse_halves_.data();
    basis_.first_cell = first_cell_.data();
}

void PackedBasis::pack_coefficients(const RadialTable& table) {
    const Index width = hot_soap().width;
    constexpr Index n_powers = table_degree + 1;
    const auto n_cells = static_cast<Index>(edges_.size()) - 1,
               n_channels = static_cast<Index>(table.coefficients.size()) / n_cells / n_powers;
    coefficients_.reserve(n_cells * basis_.n_blocks * n_powers * width);
    std::fill_n(coefficients_.data(), n_cells * basis_.n_blocks * n_powers * width, 0.0);
    double* to = coefficients_.data();
    for (Index cell = 0; cell < n_cells; ++cell) {
        const double* from = table.coefficients.data() + cell * n_powers * n_channels;
        for (const SoapBlock& block : blocks_) {
            for (Index k = 0; k < n_powers; ++k, to += width) std::copy_n(from + k * n_channels, block.n_channels, to);
            from += block.n_channels;
        }
    }
    basis_.coefficients = coefficients_.data();
}

/// Legendre functions P_lm / sin^m, normalised so that Y_lm has norm one on the sphere, by the recurrence
/// P_lm = a (z P_l-1,m - b P_l-2,m) with a^2 = (4 l^2 - 1) / (l^2 - m^2), b^2 = ((l-1)^2 - m^2) / (4 (l-1)^2 - 1).
void PackedBasis::pack_harmonics() {
    double squared = 1.0 / (4.0 * pi);  // square of P_mm, without the factor 2 for m > 0
    for (Index m = 0; m <= basis_.largest_l; ++m) {
        const auto order = static_cast<double>(m);
        if (m > 0) squared *= (2.0 * order + 1.0) / (2.0 * order);
        harmonics_.push_back(std::sqrt(m > 0 ? 2.0 * squared : squared));
        for (Index l = m + 1; l <= basis_.largest_l; ++l) {
            const double degree = static_cast<double>(l), below = degree - 1.0;
            const double a = std::sqrt((4.0 * degree * degree - 1.0) / (degree * degree - order * order));
            const double b = std::sqrt((below * below - order * order) / (4.0 * below * below - 1.0));
            harmonics_.push_back(a);
            harmonics_.push_back(l == m + 1 ? 0.0 : a * b);
        }
    }
    basis_.harmonics = harmonics_.data();
}

/// The same functions as P_lm = norm Q_lm with Q_lm = z Q_l-1,m - b^2 Q_l-2,m. This recurrence takes the fewest
/// operations in reverse mode, where b^2 at l is that of Q_l+2,m.
void PackedBasis::pack_way_back() {
    const Index largest_l = basis_.largest_l;
    norms_.resize(at((largest_l + 1) * (largest_l + 1)));
    const double* next = harmonics_.data();
    for (Index m = 0; m <= largest_l; ++m) {
        double norm = *next++;
        for (Index l = m; l <= largest_l; ++l) {
            norms_[at(l * l + l + m)] = norms_[at(l * l + l - m)] = norm;
            if (l == largest_l) break;
            norm *= next[0];
            next += 2;
        }
    }
    for (Index m = largest_l; m >= 0; --m) {
        for (Index l = largest_l; l >= m; --l) {
            const auto order = static_cast<double>(m), below = static_cast<double>(l + 1);
            downwards_.push_back((below * below - order * order) / (4.0 * below * below - 1.0));
        }
    }
    basis_.norms = norms_.data();
    basis_.downwards = downwards_.data();
}

}  // namespace lpr_fast
