#include "lpr_fast/kernel_gradients.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "hot/instruction_set.hpp"
#include "lpr_fast/error.hpp"
#include "soap/feature_jacobian.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {
namespace {

// Centers whose environments are in memory at the same time, and how many of them a thread takes.
constexpr Index centers_together = 32;
constexpr Index centers_of_task = 4;

// Columns of the output that a thread takes.
constexpr Index columns_of_task = 32;

// Integer powers up to this are products, others are left to std::pow.
constexpr double largest_product = 1024.0;

/// A center, and what all active environments of its species need of it. Keeps its memory.
struct Prepared {
    Environment environment;
    bool is_wanted = false;
    bool has_jacobian = false;
    double inverse_norm = 0.0;
    std::vector<double> features;      ///< x = p / |p|
    std::vector<double> similarities;  ///< x . x_m
    std::vector<double> own;           ///< (count, 3): derivatives of x . p with x held fast
    AlignedBuffer jacobian;            ///< (count, 3, D) of p
};

/// Some active environments of one species.
struct Columns {
    Index species;
    Index first;
    Index count;
};

/// Room of one thread.
struct Scratch {
    Surroundings surroundings;
    FeatureJacobian jacobian;
    WayBack way;
    std::vector<double> projections;  ///< (count, 3, columns): derivatives of x_m . p
    std::vector<double> factors;      ///< derivatives of kernels with respect to x . x_m, over |p|
};

void check(const SoapState& soap, const ActiveEnvironments& active) {
    check_way_back(soap);
    check_columns("the active set", active.features, soap.n_features());
    check_finite("the active set", active.features);
    if (!(active.zeta > 0.0) || !std::isfinite(active.zeta))
        throw InvalidInput("zeta is " + std::to_string(active.zeta) + "; it must be positive and finite.");
    const std::vector<Index>& first = active.first;
    if (static_cast<Index>(first.size()) != soap.n_species() + 1 || first.front() != 0 ||
        first.back() != active.features.rows || !std::is_sorted(first.begin(), first.end()))
        throw InvalidInput(
            "the rows of the active set are not shared out among the species of the descriptor; give where each begins "
            "and their number, ascending from 0."
        );
}

/// Multiplications per active environment by either route; those of the jacobian are shared by all of them.
bool is_jacobian_cheaper(const SoapState& soap, const Environment& environment, Index n_active) {
    const SoapBasis& basis = soap.packed.basis();
    double expansion = 0.0, products = 0.0;
    for (Index d = 0; d < basis.n_degrees; ++d) {
        const auto n = static_cast<double>(basis.degrees[d].n_radial),
                   n_rows = static_cast<double>(2 * basis.degrees[d].l + 1);
        expansion += n * n_rows;
        products += n * n * n_rows;
    }
    const auto n_harmonics = static_cast<double>((basis.largest_l + 1) * (basis.largest_l + 1));
    const auto n = static_cast<double>(environment.count());
    const auto n_seen =
        static_cast<double>(std::count(environment.is_empty.begin(), environment.is_empty.end(), char{0}));
    const double by_jacobian =
        3.0 * n * (static_cast<double>(soap.n_features()) + products * n_seen / static_cast<double>(n_active));
    const double by_way_back = products * n_seen * n_seen + n * (2.0 * expansion + 12.0 * n_harmonics);
    return by_jacobian < by_way_back;
}

/// out(j, i) = a_i . b_j
void inner_products(const double* a, Index n_a, const double* b, Index n_b, Index depth, double* out) {
    // Other products of such matrices change b, this one does not.
    if (n_a > 0 && n_b > 0)
        hot_kernels().inner_products({a, depth, n_a, const_cast<double*>(b), depth, n_b, depth, out});
}

double integer_power(double base, Index exponent) {
    double power = 1.0;
    for (; exponent > 0; exponent /= 2, base *= base)
        if (exponent % 2 == 1) power *= base;
    return power;
}

/// Derivative of s^zeta; see kernel_gradients().
double slope_of_power(double s, double zeta) {
    if (zeta == std::floor(zeta)) {
        const double power =
            zeta <= largest_product ? integer_power(s, static_cast<Index>(zeta) - 1) : std::pow(s, zeta - 1.0);
        return zeta * power;
    }
    return s > 0.0 ? zeta * std::pow(s, zeta - 1.0) : 0.0;
}

class KernelGradients {
public:
    KernelGradients(
        const Soap& soap, const Structure& structure, const ActiveEnvironments& active, MatrixView forces,
        MatrixView virial, GradientRoute route
    )
        : soap_(soap.state()),
          structure_(structure),
          active_(active),
          forces_(forces),
          virial_(virial),
          route_(route),
          batch_(at(centers_together)) {
        for (Index s = 0; s < soap_.n_species(); ++s)
            for (Index first = active.first[at(s)]; first < active.first[at(s + 1)]; first += columns_of_task)
                columns_.push_back({s, first, std::min(columns_of_task, active.first[at(s + 1)] - first)});
    }

    void run(int n_threads) {
        for (Index i = 0; i < forces_.rows; ++i) std::fill_n(forces_.row(i), forces_.cols, 0.0);
        for (Index i = 0; i < virial_.rows; ++i) std::fill_n(virial_.row(i), virial_.cols, 0.0);
        const std::vector<Center> centers = centers_of(soap_, {{&structure_}});
        const auto n = static_cast<Index>(centers.size());
        for (Index begin = 0; begin < n; begin += centers_together) {
            const Index count = std::min(centers_together, n - begin);
            parallel_for_each(tile_count(count, centers_of_task), n_threads, [&](Index task) {
                const Index first = task * centers_of_task;
                prepare(centers.data() + begin, first, std::min(centers_of_task, count - first));
            });
            parallel_for_each(static_cast<Index>(columns_.size()), n_threads, [&](Index task) {
                add_batch(columns_[at(task)], count);
            });
        }
    }

private:
    Index n_active(Index species) const { return active_.first[at(species + 1)] - active_.first[at(species)]; }

    /// Centers first, first + 1, ... of a batch.
    void prepare(const Center* centers, Index first, Index count) {
        auto lease = scratch_.take();
        Scratch& scratch = *lease;
        for_each_center(
            {{&structure_}}, soap_.n_species(), centers + first, count, scratch.surroundings,
            [&](const Center& center, const StructureState& state) {
                Prepared& prepared = batch_[at(&center - centers)];
                const Index species = state.species[at(center.place)];
                prepared.is_wanted = species < soap_.n_species() && n_active(species) > 0;
                if (!prepared.is_wanted) return;
                prepared.environment.take(soap_, scratch.surroundings, state, center.place);
                describe(prepared);
                project_itself(prepared, scratch);
            }
        );
    }

    void describe(Prepared& prepared) const {
        const Environment& environment = prepared.environment;
        std::vector<double>& x = prepared.features;
        x.resize(at(soap_.n_features()));
        write_features(soap_, environment.expansions.data(), environment.is_empty, x.data());
        double squared = 0.0;
        for (const double value : x) squared += value * value;
        prepared.inverse_norm = squared > 0.0 ? 1.0 / std::sqrt(squared) : 0.0;
        for (double& value : x) value *= prepared.inverse_norm;
        const Index n = n_active(environment.species);
        prepared.similarities.resize(at(n));
        inner_products(
            active_.features.row(active_.first[at(environment.species)]), n, x.data(), 1, soap_.n_features(),
            prepared.similarities.data()
        );
    }

    void project_itself(Prepared& prepared, Scratch& scratch) const {
        const Environment& environment = prepared.environment;
        const Index n_rows = 3 * environment.count();
        prepared.own.resize(at(n_rows));
        prepared.has_jacobian = route_ == GradientRoute::cheaper
                                    ? is_jacobian_cheaper(soap_, environment, n_active(environment.species))
                                    : route_ == GradientRoute::features;
        if (prepared.has_jacobian) {
            prepared.jacobian.reserve(n_rows * soap_.n_features());
            scratch.jacobian.write(soap_, environment, prepared.jacobian.data());
        }
        project(prepared, prepared.features.data(), 1, scratch, prepared.own.data());
    }

    /// Derivatives of the scalar products of some vectors of features with those of a center: (count, 3, n).
    void project(const Prepared& prepared, const double* vectors, Index n, Scratch& scratch, double* out) const {
        const Index n_features = soap_.n_features(), n_neighbours = prepared.environment.count();
        if (prepared.has_jacobian) {
            inner_products(vectors, n, prepared.jacobian.data(), 3 * n_neighbours, n_features, out);
            return;
        }
        for (Index m = 0; m < n; ++m) {
            scratch.way.go(soap_, prepared.environment, vectors + m * n_features);
            for (Index j = 0; j < n_neighbours; ++j) {
                const Vector3 gradient = scratch.way.gradient(j);
                for (Index k = 0; k < 3; ++k) out[(3 * j + k) * n + m] = gradient[at(k)];
            }
        }
    }

    /// What the centers of a batch add to some columns, in order.
    void add_batch(const Columns& columns, Index count) {
        auto lease = scratch_.take();
        for (Index i = 0; i < count; ++i) {
            const Prepared& prepared = batch_[at(i)];
            if (prepared.is_wanted && prepared.environment.species == columns.species) add(prepared, columns, *lease);
        }
    }

    void add(const Prepared& prepared, const Columns& columns, Scratch& scratch) {
        const Environment& environment = prepared.environment;
        const Index n = columns.count;
        scratch.projections.resize(at(3 * environment.count() * n));
        project(prepared, active_.features.row(columns.first), n, scratch, scratch.projections.data());
        const double* similarities = prepared.similarities.data() + columns.first - active_.first[at(columns.species)];
        scratch.factors.resize(at(n));
        for (Index m = 0; m < n; ++m)
            scratch.factors[at(m)] = prepared.inverse_norm * slope_of_power(similarities[m], active_.zeta);
        double* of_center = forces_.row(3 * environment.center) + columns.first;
        for (Index j = 0; j < environment.count(); ++j) {
            const Vector3 vector = environment.vector(j);
            for (Index k = 0; k < 3; ++k) {
                // dx = (dp - x (x . dp)) / |p|
                double* change = scratch.projections.data() + (3 * j + k) * n;
                const double own = prepared.own[at(3 * j + k)];
                for (Index m = 0; m < n; ++m) change[m] = scratch.factors[at(m)] * (change[m] - similarities[m] * own);
                subtract(change, n, 1.0, forces_.row(3 * environment.atoms[at(j)] + k) + columns.first);
                subtract(change, n, -1.0, of_center + k * forces_.stride);
                for (Index i = 0; i < virial_.rows / 3; ++i)
                    subtract(change, n, vector[at(i)], virial_.row(3 * i + k) + columns.first);
            }
        }
    }

    static void subtract(const double* change, Index n, double factor, double* row) {
        for (Index m = 0; m < n; ++m) row[m] -= factor * change[m];
    }

    const SoapState& soap_;
    const Structure& structure_;
    const ActiveEnvironments& active_;
    const MatrixView forces_, virial_;
    const GradientRoute route_;
    std::vector<Prepared> batch_;
    std::vector<Columns> columns_;
    Pool<Scratch> scratch_;
};

}  // namespace

void kernel_gradients(
    const Soap& soap, const Structure& structure, const ActiveEnvironments& active, MatrixView forces,
    MatrixView virial, int n_threads, GradientRoute route
) {
    check(soap.state(), active);
    check_output("forces", forces, 3 * structure.n_atoms(), active.features.rows);
    if (virial.data != nullptr) check_output("virial", virial, 9, active.features.rows);
    KernelGradients(soap, structure, active, forces, virial, route).run(n_threads);
}

}  // namespace lpr_fast
