#pragma once

// Transposition of tiles of vectors. Everything here has internal linkage: see hot/kernels.cpp.

#include "hot/vectors.hpp"

namespace lpr_fast {
namespace {

template <int step, int k>
LPR_FAST_INLINE double from_low(Vec a, Vec b) {
    return k & step ? b[k & ~step] : a[k];
}

template <int step, int k>
LPR_FAST_INLINE double from_high(Vec a, Vec b) {
    return k & step ? b[k] : a[k | step];
}

/// Divides a and b into blocks of `step` numbers and swaps block 2 i + 1 of a with block 2 i of b. This form lets
/// compilers generate shuffles.
template <int step>
LPR_FAST_INLINE void exchange(Vec& a, Vec& b) {
#if defined(__AVX512F__)
    const Vec low = {from_low<step, 0>(a, b), from_low<step, 1>(a, b), from_low<step, 2>(a, b),
                     from_low<step, 3>(a, b), from_low<step, 4>(a, b), from_low<step, 5>(a, b),
                     from_low<step, 6>(a, b), from_low<step, 7>(a, b)};
    const Vec high = {from_high<step, 0>(a, b), from_high<step, 1>(a, b), from_high<step, 2>(a, b),
                      from_high<step, 3>(a, b), from_high<step, 4>(a, b), from_high<step, 5>(a, b),
                      from_high<step, 6>(a, b), from_high<step, 7>(a, b)};
#elif defined(__AVX2__) && defined(__FMA__)
    const Vec low = {
        from_low<step, 0>(a, b), from_low<step, 1>(a, b), from_low<step, 2>(a, b), from_low<step, 3>(a, b)
    };
    const Vec high = {
        from_high<step, 0>(a, b), from_high<step, 1>(a, b), from_high<step, 2>(a, b), from_high<step, 3>(a, b)
    };
#else
    const Vec low = {from_low<step, 0>(a, b), from_low<step, 1>(a, b)};
    const Vec high = {from_high<step, 0>(a, b), from_high<step, 1>(a, b)};
#endif
    a = low;
    b = high;
}

template <int step>
LPR_FAST_INLINE void exchange_all(Vec (&rows)[width]) {
    if constexpr (step < width) {
        LPR_FAST_UNROLL
        for (int i = 0; i < width; ++i)
            if (!(i & step)) exchange<step>(rows[i], rows[i + step]);
        exchange_all<2 * step>(rows);
    }
}

/// Swaps number k of row n with number n of row k.
LPR_FAST_INLINE void transpose(Vec (&rows)[width]) {
    exchange_all<1>(rows);
}

}  // namespace
}  // namespace lpr_fast
