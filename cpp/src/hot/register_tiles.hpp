#pragma once

// Sizes of the parts of a product that fill the registers. Only types and constants: see hot/kernels.cpp.

#include "hot/kernels.hpp"
#include "hot/vectors.hpp"

namespace lpr_fast {
namespace {

using Index = std::ptrdiff_t;

// The accumulators of a tile of C fill the vector registers, except for those that load A and B.
#if defined(__AVX512F__)
constexpr const char* name = "x86-64-v4";
constexpr int panel_rows = 8;
constexpr int vectors = 3;
constexpr int a_tile = 4;
constexpr int b_tile = 6;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr const char* name = "x86-64-v3";
constexpr int panel_rows = 6;
constexpr int vectors = 2;
constexpr int a_tile = 3;
constexpr int b_tile = 4;
#else
#if defined(__x86_64__)
constexpr const char* name = "x86-64";
constexpr int panel_rows = 4;
#else
constexpr const char* name = "baseline";
constexpr int panel_rows = 8;
#endif
constexpr int vectors = 3;
constexpr int a_tile = 3;
constexpr int b_tile = 4;
#endif

constexpr int lanes = width * vectors;

static_assert(vectors >= 1 && vectors <= 3, "loops over strips exist for one, two and three vectors");
static_assert(block_depth % panel_rows == 0, "blocks of a triangle are whole panels");
static_assert(product_tile % panel_rows == 0 && product_tile % lanes == 0, "tiles are whole panels and whole strips");

}  // namespace
}  // namespace lpr_fast
