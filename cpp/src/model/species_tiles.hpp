#pragma once

#include "model/model_state.hpp"

namespace lpr_fast {

/// Copies rows of features into a tile: normalised for kernel models, after a 1 for models with constants.
/// @throws InvalidInput  for NaN, infinity and entries above 1e140, naming the row
void gather(const ModelState& state, ConstMatrixView features, const Index* rows, Index count, SpeciesTile& tile);

/// Calls run(s, tile, rows, count) for tiles of environments of species number s of the model. `rows` are the numbers
/// of these environments.
template <typename Run>
void for_each_species_tile(const ModelState& state, const int* species, Index n_rows, int n_threads, const Run& run) {
    auto lease = state.row_lists.take();
    std::vector<Index>& rows = *lease;
    rows.reserve(static_cast<std::size_t>(n_rows));
    for (std::size_t s = 0; s < state.info.species.size(); ++s) {
        rows.clear();
        for (Index i = 0; i < n_rows; ++i) {
            if (species[i] == state.info.species[s]) rows.push_back(i);
        }
        for_each_tile(
            static_cast<Index>(rows.size()), n_threads, state.tiles,
            [&](SpeciesTile& tile, Index first, Index count) { run(s, tile, rows.data() + first, count); }
        );
    }
}

}  // namespace lpr_fast
