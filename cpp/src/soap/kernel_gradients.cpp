#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "hot/instruction_set.hpp"
#include "linear_algebra/tiles.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/gradient_rows.hpp"
#include "soap/center_batches.hpp"
#include "soap/panels.hpp"

namespace lpr_fast {
namespace {

// Largest number of strips of the active set in a task: they stay in the second-level cache.
constexpr Index strips_of_task = 6;

// Integer powers up to this one are computed by products, others by std::pow.
constexpr double largest_product = 1024.0;

double integer_power(double base, Index exponent) {
    double power = 1.0;
    for (; exponent > 0; exponent /= 2, base *= base)
        if (exponent % 2 == 1) power *= base;
    return power;
}

/// Derivative of s^zeta with respect to s; zero for s <= 0 if zeta is not an integer (see KernelGradients).
double slope_of_power(double s, double zeta) {
    if (zeta == std::floor(zeta)) {
        const double power =
            zeta <= largest_product ? integer_power(s, static_cast<Index>(zeta) - 1) : std::pow(s, zeta - 1.0);
        return zeta * power;
    }
    return s > 0.0 ? zeta * std::pow(s, zeta - 1.0) : 0.0;
}

void check(const SoapState& soap, ConstMatrixView active, const std::vector<Index>& first, double zeta) {
    check_differentiable(soap);
    check_columns("the active set", active, soap.n_features());
    check_finite("the active set", active);
    if (!(zeta > 0.0) || !std::isfinite(zeta))
        throw InvalidInput("zeta is " + std::to_string(zeta) + "; it must be positive and finite.");
    if (static_cast<Index>(first.size()) != soap.n_species() + 1 || first.front() != 0 || first.back() != active.rows ||
        !std::is_sorted(first.begin(), first.end()))
        throw InvalidInput(
            "the first rows of the species do not divide the rows of the active set; give the first row of each "
            "species of the descriptor and the number of rows, ascending from 0."
        );
}

/// Some active environments of one species, in whole strips.
struct Columns {
    Index species;
    Index first_strip;  ///< among the strips of the species
    Index count;
    Index first;  ///< index of the first one among all active environments
};

/// The active environments in strips, species by species.
struct ActiveStrips {
    ActiveStrips(ConstMatrixView active, const std::vector<Index>& starts) : depth(active.cols), first(starts) {
        const Index lanes = hot_kernels().lanes;
        for (std::size_t s = 0; s + 1 < first.size(); ++s) {
            const Index n = first[s + 1] - first[s];
            of_species.emplace_back(tile_count(n, lanes) * lanes * depth);
            load_strips("the active set", active, first[s], n, 0, depth, of_species.back().data());
        }
    }

    /// Tasks of about the same size. The number of tasks of each species is a multiple of the number of threads.
    std::vector<Columns> tasks(int n_threads) const {
        const Index lanes = hot_kernels().lanes;
        std::vector<Columns> found;
        for (std::size_t s = 0; s < of_species.size(); ++s) {
            const Index n = first[s + 1] - first[s], n_strips = tile_count(n, lanes);
            const Index n_tasks = tile_count(n_strips, strips_of_task * n_threads) * n_threads;
            for (Index i = 0; i < n_tasks; ++i) {
                const Index begin = i * n_strips / n_tasks * lanes, end = (i + 1) * n_strips / n_tasks * lanes;
                if (begin == end) continue;
                found.push_back({static_cast<Index>(s), begin / lanes, std::min(end, n) - begin, first[s] + begin});
            }
        }
        return found;
    }

    const double* strips(const Columns& some) const {
        return of_species[at(some.species)].data() + some.first_strip * depth * hot_kernels().lanes;
    }

    Index depth;
    std::vector<Index> first;  ///< first active environment of each species, and the number of all
    std::vector<AlignedBuffer> of_species;
};

/// The centers of one species in a batch.
struct OfSpecies {
    Panels features;                    ///< normalised
    std::vector<double> inverse_norms;  ///< of the features
    std::vector<Panels> groups;         ///< derivatives of features, for each group of rows
};

/// Position of a center and its rows among those of its species.
struct Place {
    Index center = 0;
    std::vector<Index> first;      ///< its first row in each group
    std::vector<double> features;  ///< normalised
};

/// Scalar products of centers with active environments, and derivatives of kernels with respect to these, divided by
/// the norms of features.
struct Factors {
    AlignedBuffer values, slopes;
};

}  // namespace

struct KernelGradients::State {
    Soap soap;
    double zeta;
    Index size;
    std::vector<RowGroup> groups;
    ActiveStrips active;
};

/// One call of rows(), which adds the contributions of the centers batch by batch.
class KernelGradients::Call {
public:
    Call(const State& state, const RowTargets& targets, int n_threads)
        : state_(state),
          soap_(state.soap.state()),
          targets_(targets),
          n_threads_(n_threads),
          columns_(state.active.tasks(resolve_threads(n_threads))),
          of_species_(at(soap_.n_species())) {
        for (OfSpecies& each : of_species_) each.groups.resize(state.groups.size());
    }

    void add(const std::vector<const DifferentiatedCenter*>& centers) {
        make_room(centers);
        const Index n_numbers = count_numbers();
        parallel_for_each(static_cast<Index>(centers.size()), threads_for(8 * n_numbers, n_threads_), [&](Index i) {
            auto lease = room_.take();
            describe(*centers[at(i)], places_[at(i)]);
            differentiate(*centers[at(i)], places_[at(i)], *lease);
        });
        const int n_threads = threads_for(n_numbers * state_.size / soap_.n_species(), n_threads_);
        parallel_for_each(static_cast<Index>(columns_.size()), n_threads, [&](Index i) {
            auto lease = factors_.take();
            multiply(columns_[at(i)], *lease);
        });
    }

private:
    /// Assigns a position to each row, in the order of the centers.
    void make_room(const std::vector<const DifferentiatedCenter*>& centers) {
        for (OfSpecies& each : of_species_) {
            each.features.count = 0;
            for (Panels& panels : each.groups) panels.count = 0;
        }
        places_.resize(std::max(places_.size(), centers.size()));
        for (std::size_t i = 0; i < centers.size(); ++i) {
            OfSpecies& own = of_species_[at(centers[i]->environment.species)];
            places_[i].center = own.features.count++;
            places_[i].first.clear();
            for (std::size_t g = 0; g < own.groups.size(); ++g) {
                places_[i].first.push_back(own.groups[g].count);
                own.groups[g].count += centers[i]->wanted.count(static_cast<Index>(g));
            }
        }
        for (OfSpecies& each : of_species_) {
            each.features.make_room(soap_.n_features());
            each.inverse_norms.resize(at(each.features.count));
            for (std::size_t g = 0; g < each.groups.size(); ++g) each.groups[g].make_room(state_.groups[g].depth);
        }
    }

    /// Number of numbers in all rows.
    Index count_numbers() const {
        Index count = 0;
        for (const OfSpecies& each : of_species_)
            for (std::size_t g = 0; g < each.groups.size(); ++g) count += each.groups[g].count * state_.groups[g].depth;
        return count;
    }

    void describe(const DifferentiatedCenter& center, Place& place) {
        const Environment& environment = center.environment;
        OfSpecies& own = of_species_[at(environment.species)];
        std::vector<double>& x = place.features;
        x.resize(at(soap_.n_features()));
        write_features(soap_, environment.expansions.data(), environment.is_empty, x.data());
        double squared = 0.0;
        for (const double value : x) squared += value * value;
        const double inverse_norm = squared > 0.0 ? 1.0 / std::sqrt(squared) : 0.0;
        for (double& value : x) value *= inverse_norm;
        own.inverse_norms[at(place.center)] = inverse_norm;
        own.features.put(place.center, x.data(), soap_.n_features());
    }

    void differentiate(const DifferentiatedCenter& center, const Place& place, JacobianWorkspace& work) {
        OfSpecies& own = of_species_[at(center.environment.species)];
        work.jacobian.write(
            soap_, state_.groups, center.environment, center.wanted, [&](Index group, Index row, const double* values) {
                const RowGroup& columns = state_.groups[at(group)];
                Panels& panels = own.groups[at(group)];
                const Index to = place.first[at(group)] + row;
                panels.put(to, values, columns.depth);
                const Index target = center.wanted.target(group, row, targets_.wanted());
                panels.rows[at(to)] = {targets_.row(target), place.center, product(columns, values, place.features)};
            }
        );
    }

    /// Scalar product of a row of a group with features.
    static double product(const RowGroup& group, const double* values, const std::vector<double>& features) {
        double sum = 0.0;
        for (const ProductSegment& segment : group.segments) {
            double part = 0.0;
            // Other functions write to b; inner_products() does not.
            hot_kernels().inner_products(
                {features.data() + segment.first, segment.count, 1, const_cast<double*>(values), segment.count, 1,
                 segment.count, &part}
            );
            sum += part;
            values += segment.count;
        }
        return sum;
    }

    /// Adds the contributions of the centers of a batch to some columns, in order.
    void multiply(const Columns& columns, Factors& factors) const {
        const OfSpecies& own = of_species_[at(columns.species)];
        if (own.features.count == 0) return;
        weigh(columns, own, factors);
        const Index lanes = hot_kernels().lanes, depth = state_.active.depth;
        for (std::size_t g = 0; g < own.groups.size(); ++g) {
            const Panels& panels = own.groups[g];
            const RowGroup& group = state_.groups[g];
            hot_kernels().scattered_product(
                {panels.values.data(), panels.n_panels(), group.depth, group.segments.data(),
                 static_cast<Index>(group.segments.size()), state_.active.strips(columns), depth * lanes, columns.count,
                 panels.rows.data(), factors.slopes.data(), factors.values.data(), own.features.n_rows() * lanes,
                 columns.first}
            );
        }
    }

    void weigh(const Columns& columns, const OfSpecies& own, Factors& factors) const {
        const Index lanes = hot_kernels().lanes, depth = state_.active.depth;
        const Index stride = own.features.n_rows() * lanes, size = tile_count(columns.count, lanes) * stride;
        factors.values.reserve(size);
        factors.slopes.reserve(size);
        hot_kernels().assign_product(
            {own.features.values.data(), own.features.n_panels(), depth, state_.active.strips(columns), depth * lanes,
             factors.values.data(), stride, columns.count}
        );
        for (Index strip = 0; strip < size; strip += stride) {
            const Index n = std::min(lanes, columns.count - strip / stride * lanes);
            for (Index i = 0; i < own.features.count; ++i)
                for (Index k = strip + i * lanes; k < strip + i * lanes + n; ++k)
                    factors.slopes.data()[k] =
                        own.inverse_norms[at(i)] * slope_of_power(factors.values.data()[k], state_.zeta);
        }
    }

    const State& state_;
    const SoapState& soap_;
    const RowTargets& targets_;
    const int n_threads_;
    const std::vector<Columns> columns_;
    std::vector<OfSpecies> of_species_;
    std::vector<Place> places_;
    Pool<JacobianWorkspace> room_;
    Pool<Factors> factors_;
};

KernelGradients::KernelGradients(
    const Soap& soap, ConstMatrixView active, const std::vector<Index>& first, double zeta
) {
    check(soap.state(), active, first, zeta);
    state_ = std::make_shared<const State>(
        State{soap, zeta, active.rows, row_groups(soap.state()), ActiveStrips(active, first)}
    );
}

Index KernelGradients::size() const {
    return state_->size;
}

void KernelGradients::rows(const Structure& structure, const GradientRows& out, int n_threads) const {
    const RowTargets targets(out, structure, size());
    Call call(*state_, targets, n_threads);
    CenterBatches(state_->soap.state(), structure, targets.wanted(), n_threads).for_each([&](const auto& centers) {
        call.add(centers);
    });
}

}  // namespace lpr_fast
