#include "rigidity/form_gradient.hpp"

#include <algorithm>

#include "base/at.hpp"
#include "rigidity/scoring.hpp"

namespace lpr_fast {
namespace {

/// Shape of the strips of one tile; the first `count` columns are used.
struct Tile {
    Index depth;
    Index count;

    Index lanes() const { return hot_kernels().lanes; }
    Index n_strips() const { return tile_count(count, lanes()); }
    Index n_columns(Index strip) const { return std::min(lanes(), count - strip * lanes()); }
    double* strip(double* strips, Index number) const { return strips + number * depth * lanes(); }
};

/// Computes the components of z along the held directions, (n_strips, n_directions, lanes).
void find_along(const Held& held, const Tile& tile, double* z, AlignedBuffer& along) {
    const Index n_directions = held.directions.rows();
    along.reserve(tile.n_strips() * n_directions * tile.lanes());
    double* sums = along.data();
    for (Index s = 0; s < tile.n_strips(); ++s)
        for (Index k = 0; k < n_directions; ++k, sums += tile.lanes())
            hot_kernels().weighted_sum(
                {tile.strip(z, s), held.directions.cols(), tile.n_columns(s)}, held.directions.row(k).data(), sums
            );
}

/// Adds the remaining share along directions that are partly held.
void restore(const Held& held, const Tile& tile, const AlignedBuffer& along, double* z) {
    const Index lanes = tile.lanes();
    const double* sums = along.data();
    for (Index s = 0; s < tile.n_strips(); ++s)
        for (Index k = 0; k < held.directions.rows(); ++k, sums += lanes) {
            if (held.left(k) == 0.0) continue;
            double* strip = tile.strip(z, s);
            for (Index i = 0; i < held.directions.cols(); ++i) {
                const double factor = held.left(k) * held.directions(k, i);
                for (Index l = 0; l < tile.n_columns(s); ++l) strip[i * lanes + l] += factor * sums[l];
            }
        }
}

/// Writes R^-1 z to strips of `depth` rows, one row for each column of phi; zero for columns that R does not have.
void solve_back(const FactorState& factor, const Tile& tile, Index depth, Workspace& workspace, FormGradients& out) {
    const PackedFactor& panels = packed_back(factor);
    const Index lanes = tile.lanes(), size = panels.size();
    out.solved.reserve(panels.padded_size() * tile_columns());
    select_rows(
        workspace.work.data(), tile.depth, panels.columns(), panels.padded_size(), tile.n_strips(), out.solved.data()
    );
    // Only the solution is used here, not its squares.
    panels.sum_squares(
        out.solved.data(), tile.count, workspace.block.data(), workspace.squares.data(), PackedFactor::Solution::kept
    );
    out.gradients.reserve(depth * tile_columns());
    std::fill_n(out.gradients.data(), depth * lanes * tile.n_strips(), 0.0);
    for (Index s = 0; s < tile.n_strips(); ++s) {
        const double* reversed = out.solved.data() + s * panels.padded_size() * lanes;
        double* gradients = out.gradients.data() + s * depth * lanes;
        for (Index j = 0; j < size; ++j)
            std::copy_n(reversed + (size - 1 - j) * lanes, lanes, gradients + factor.columns[at(j)] * lanes);
    }
}

}  // namespace

void write_form_gradients(
    const FactorState& factor, Form form, const double* strips, Index depth, Index count, Workspace& workspace,
    FormGradients& out
) {
    const Tile tile{packed(factor).padded_size(), count};
    const double* plain = solve_strips(factor, strips, depth, count, workspace, PackedFactor::Solution::kept);
    const double* forms = plain;
    if (form == Form::held) {
        find_along(*factor.held, tile, workspace.work.data(), out.along);
        forms = remove_held(factor, count, workspace);
        restore(*factor.held, tile, out.along, workspace.work.data());
    }
    out.forms.resize(at(count));
    for (Index i = 0; i < count; ++i) {
        out.forms[at(i)] = {form == Form::held ? beyond_rounding(forms[i], plain[i]) : plain[i], 0};
        if (is_ordinary(plain[i])) continue;
        Vector phi(factor.triangle.cols());
        take_column(factor, strips, depth, i, phi);
        const QuadraticForms both = form_beyond_range(factor, phi);
        out.forms[at(i)] = form == Form::held ? both.held : both.plain;
    }
    solve_back(factor, tile, depth, workspace, out);
}

}  // namespace lpr_fast
