#pragma once

// Vectors of the instruction set that a file is compiled for. Only types and constants: see hot/kernels.cpp.

namespace lpr_fast {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

constexpr int width = vector_bytes / 8;

typedef double Vec __attribute__((vector_size(vector_bytes)));
typedef double UnalignedVec __attribute__((vector_size(vector_bytes), aligned(8)));

#define LPR_FAST_UNROLL _Pragma("GCC unroll 16")
#define LPR_FAST_INLINE inline __attribute__((always_inline))
#define LPR_FAST_OUTLINE __attribute__((noinline))
#define LPR_FAST_JOIN_(a, b) a##b
#define LPR_FAST_JOIN(a, b) LPR_FAST_JOIN_(a, b)

}  // namespace
}  // namespace lpr_fast
