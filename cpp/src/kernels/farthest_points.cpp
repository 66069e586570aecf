#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/kernels.hpp"

namespace lpr_fast {
namespace {

constexpr Index tile_rows = 512;
constexpr Index n_lanes = 8;

/// |a - b|^2, summed in an order that depends on the length alone.
double squared_distance(const double* a, const double* b, Index length) {
    std::array<double, n_lanes> sums{};
    Index i = 0;
    for (; i + n_lanes <= length; i += n_lanes) {
        for (Index lane = 0; lane < n_lanes; ++lane) {
            const double difference = a[i + lane] - b[i + lane];
            sums[static_cast<std::size_t>(lane)] += difference * difference;
        }
    }
    double rest = 0.0;
    for (; i < length; ++i) rest += (a[i] - b[i]) * (a[i] - b[i]);
    for (const double sum : sums) rest += sum;
    return rest;
}

struct Farthest {
    Index row = 0;
    double distance = -1.0;
};

}  // namespace

std::vector<Index> farthest_points(ConstMatrixView points, Index count, Index first, double tolerance, int n_threads) {
    check_view("points", points);
    if (first < 0 || first >= points.rows || count < 1) {
        throw InvalidInput(
            "cannot choose " + std::to_string(count) + " of " + std::to_string(points.rows) +
            " points, beginning with number " + std::to_string(first) +
            "; ask for at least one point, and begin with a number in [0, " + std::to_string(points.rows) + ")."
        );
    }
    check_finite("points", points);
    const int threads = resolve_threads(n_threads);
    const Index n_tiles = tile_count(points.rows, tile_rows);
    std::vector<double> distances(static_cast<std::size_t>(points.rows), std::numeric_limits<double>::infinity());
    std::vector<Farthest> of_tile(static_cast<std::size_t>(n_tiles));
    std::vector<Index> chosen{first};
    while (static_cast<Index>(chosen.size()) < count) {
        const double* newest = points.row(chosen.back());
        parallel_for_each(n_tiles, threads, [&](Index tile) {
            Farthest farthest;
            const Index end = std::min(points.rows, (tile + 1) * tile_rows);
            for (Index i = tile * tile_rows; i < end; ++i) {
                double& distance = distances[static_cast<std::size_t>(i)];
                distance = std::min(distance, squared_distance(points.row(i), newest, points.cols));
                if (distance > farthest.distance) farthest = {i, distance};
            }
            of_tile[static_cast<std::size_t>(tile)] = farthest;
        });
        const auto is_nearer = [](const Farthest& a, const Farthest& b) { return a.distance < b.distance; };
        const Farthest next = *std::max_element(of_tile.begin(), of_tile.end(), is_nearer);
        if (!(next.distance > tolerance * tolerance)) break;
        chosen.push_back(next.row);
    }
    return chosen;
}

}  // namespace lpr_fast
