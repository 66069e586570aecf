#include "rigidity/square_root_sum.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "linear_algebra/triangularize.hpp"

namespace lpr_fast {
namespace {

double rest_of(const Triangle& triangle) {
    return triangle.rest.size() == 0 ? 0.0 : triangle.rest(0, 0);
}

}  // namespace

Index SquareRootSum::leaf_rows() const {
    // With four times the rows of a factor, reducing pairs of factors takes little time beside reducing leaves.
    return std::max<Index>(4 * size_, 256);
}

void SquareRootSum::fold(ConstMatrixView leaf, double log_weights, int n_threads) {
    const Triangle triangle = triangularize({leaf}, n_threads, n_targets_);
    insert({0, triangle.rows(width()), rest_of(triangle), log_weights}, n_threads);
}

void SquareRootSum::insert(Node node, int n_threads) {
    const auto is_lower = [](const Node& a, const Node& b) { return a.level > b.level; };
    auto place = std::lower_bound(nodes_.begin(), nodes_.end(), node, is_lower);
    while (place != nodes_.end() && place->level == node.level) {
        const Triangle both = triangularize({view_of(place->rows), view_of(node.rows)}, n_threads, n_targets_);
        node = {
            node.level + 1,
            both.rows(width()),
            std::hypot(std::hypot(place->rest, node.rest), rest_of(both)),
            place->log_weights + node.log_weights,
        };
        nodes_.erase(place);
        place = std::lower_bound(nodes_.begin(), nodes_.end(), node, is_lower);
    }
    nodes_.insert(place, std::move(node));
}

void SquareRootSum::merge(const SquareRootSum& other, int n_threads) {
    for (const Node& node : other.nodes_) insert(node, n_threads);
}

std::vector<ConstMatrixView> SquareRootSum::blocks() const {
    std::vector<ConstMatrixView> views;
    for (const Node& node : nodes_) views.push_back(view_of(node.rows));
    return views;
}

double SquareRootSum::rest() const {
    double rest = 0.0;
    for (const Node& node : nodes_) rest = std::hypot(rest, node.rest);
    return rest;
}

double SquareRootSum::log_weights() const {
    double sum = 0.0;
    for (const Node& node : nodes_) sum += node.log_weights;
    return sum;
}

bool SquareRootSum::could_hold(Index n_leaves) const {
    for (const Node& node : nodes_) n_leaves -= Index{1} << node.level;
    return n_leaves == 0;
}

void SquareRootSum::write(ByteWriter& bytes) const {
    bytes.integer(static_cast<Index>(nodes_.size()));
    for (const Node& node : nodes_) {
        bytes.integer(node.level);
        bytes.numbers(node.rows.data(), node.rows.size());
        bytes.numbers(&node.rest, 1);
        bytes.numbers(&node.log_weights, 1);
    }
}

void SquareRootSum::read(ByteReader& bytes) {
    constexpr Index max_level = 54;  // 2^54 leaves of 256 rows are the most that an Index can count
    const Index n_nodes = bytes.integer(0, max_level + 1);
    Index level_below = max_level + 1;
    for (Index n = 0; n < n_nodes; ++n) {
        const Index level = bytes.integer(0, level_below - 1);
        level_below = level;
        bytes.expect_numbers(size_ * width());
        Node node{level, RowMatrix(size_, width()), 0.0, 0.0};
        bytes.numbers(node.rows.data(), node.rows.size());
        bytes.numbers(&node.rest, 1);
        bytes.numbers(&node.log_weights, 1);
        if (node.rest < 0.0) ByteReader::refuse();
        nodes_.push_back(std::move(node));
    }
}

}  // namespace lpr_fast
