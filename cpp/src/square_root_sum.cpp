#include "square_root_sum.hpp"

#include <algorithm>
#include <utility>

#include "lpr_fast/error.hpp"
#include "triangularize.hpp"

namespace lpr_fast {

Index SquareRootSum::leaf_rows() const {
    // Four times the rows of a factor keep the work for reducing pairs of factors small beside that for the leaves.
    return std::max<Index>(4 * size_, 256);
}

void SquareRootSum::fold(ConstMatrixView leaf, int n_threads) {
    insert({0, triangularize({leaf}, n_threads)}, n_threads);
}

void SquareRootSum::insert(Node node, int n_threads) {
    const auto is_lower = [](const Node& a, const Node& b) { return a.level > b.level; };
    auto place = std::lower_bound(nodes_.begin(), nodes_.end(), node, is_lower);
    while (place != nodes_.end() && place->level == node.level) {
        node = {node.level + 1, triangularize({view_of(place->triangle), view_of(node.triangle)}, n_threads)};
        nodes_.erase(place);
        place = std::lower_bound(nodes_.begin(), nodes_.end(), node, is_lower);
    }
    nodes_.insert(place, std::move(node));
}

void SquareRootSum::merge(const SquareRootSum& other, int n_threads) {
    for (const Node& node : std::vector<Node>(other.nodes_)) insert(node, n_threads);
}

std::vector<ConstMatrixView> SquareRootSum::blocks() const {
    std::vector<ConstMatrixView> views;
    for (const Node& node : nodes_) views.push_back(view_of(node.triangle));
    return views;
}

void SquareRootSum::write(ByteWriter& bytes) const {
    bytes.integer(static_cast<Index>(nodes_.size()));
    for (const Node& node : nodes_) {
        bytes.integer(node.level);
        for (Index i = 0; i < size_; ++i) bytes.numbers(node.triangle.row(i).data() + i, size_ - i);
    }
}

void SquareRootSum::read(ByteReader& bytes) {
    constexpr Index max_level = 62;
    const Index n_nodes = bytes.integer(0, max_level + 1);
    Index level_below = max_level + 1;
    for (Index n = 0; n < n_nodes; ++n) {
        const Index level = bytes.integer(0, level_below - 1);
        level_below = level;
        bytes.expect_numbers(size_ * (size_ + 1) / 2);
        Node node{level, RowMatrix::Zero(size_, size_)};
        for (Index i = 0; i < size_; ++i) bytes.numbers(node.triangle.row(i).data() + i, size_ - i);
        nodes_.push_back(std::move(node));
    }
}

}  // namespace lpr_fast
