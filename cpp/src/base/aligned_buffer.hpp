#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Uninitialised numbers at an address that is a multiple of 64 bytes, for vector instructions.
class AlignedBuffer {
public:
    AlignedBuffer() = default;
    explicit AlignedBuffer(Index size) { reserve(size); }

    /// Grows to at least `size` numbers; the contents are lost if new memory is allocated.
    void reserve(Index size) {
        if (size <= size_) return;
        const auto n_bytes = static_cast<std::size_t>(size) * sizeof(double);
        numbers_.reset(static_cast<double*>(::operator new(n_bytes, alignment)));
        size_ = size;
    }

    double* data() { return numbers_.get(); }
    const double* data() const { return numbers_.get(); }

private:
    static constexpr std::align_val_t alignment{64};

    struct Release {
        void operator()(double* numbers) const { ::operator delete(numbers, alignment); }
    };

    std::unique_ptr<double, Release> numbers_;
    Index size_ = 0;
};

}  // namespace lpr_fast
