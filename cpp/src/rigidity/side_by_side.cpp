#include "rigidity/side_by_side.hpp"

#include <algorithm>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"

namespace lpr_fast {
namespace {

/// Contiguous rows of one accumulator, those of weight zero left out.
struct MemberRows {
    std::vector<double> rows;
    std::vector<double> targets;
    std::vector<double> weights;
};

MemberRows member_rows(ConstMatrixView rows, const double* targets, const double* weights) {
    MemberRows found;
    const auto n_chosen = std::count_if(weights, weights + rows.rows, [](double weight) { return weight != 0.0; });
    found.rows.reserve(at(n_chosen * rows.cols));
    for (Index i = 0; i < rows.rows; ++i) {
        if (weights[i] == 0.0) continue;
        found.rows.insert(found.rows.end(), rows.row(i), rows.row(i) + rows.cols);
        found.targets.push_back(targets[i]);
        found.weights.push_back(weights[i]);
    }
    return found;
}

}  // namespace

void add_to_each(
    std::vector<HessianAccumulator>& members, ConstMatrixView rows, ConstMatrixView targets, ConstMatrixView weights,
    int n_threads
) {
    check_columns("the targets", targets, rows.rows);
    check_columns("the weights", weights, rows.rows);
    parallel_for_each(static_cast<Index>(members.size()), n_threads, [&](Index member) {
        const MemberRows of_member = member_rows(rows, targets.row(member), weights.row(member));
        const auto count = static_cast<Index>(of_member.targets.size());
        if (count == 0) return;
        const ConstVectorView of_weights{of_member.weights.data(), count};
        members[at(member)].add_labelled(
            {of_member.rows.data(), count, rows.cols, rows.cols}, {of_member.targets.data(), count}, of_weights, 1
        );
    });
}

}  // namespace lpr_fast
