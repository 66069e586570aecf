#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/parallel.hpp"

namespace lpr_fast {

/// Scratch memory that threads take and bring back: after the first calls nothing is allocated any more. A forked child
/// leaves it alone, for the lock may have been held by a thread that the child does not have.
template <typename Scratch>
class Pool {
public:
    class Lease {
    public:
        Lease(Pool& owner, std::unique_ptr<Scratch> held) : owner_(owner), held_(std::move(held)) {}
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease() { owner_.bring_back(std::move(held_)); }
        Scratch& operator*() { return *held_; }

    private:
        Pool& owner_;
        std::unique_ptr<Scratch> held_;
    };

    Lease take() {
        if (is_forked_child()) return {*this, std::make_unique<Scratch>()};
        const std::lock_guard<std::mutex> lock(mutex_);
        if (free_.empty()) {
            free_.reserve(free_.capacity() + 1);  // so that bringing back cannot fail
            return {*this, std::make_unique<Scratch>()};
        }
        auto scratch = std::move(free_.back());
        free_.pop_back();
        return {*this, std::move(scratch)};
    }

private:
    void bring_back(std::unique_ptr<Scratch> scratch) {
        if (is_forked_child()) return;
        const std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(std::move(scratch));
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<Scratch>> free_;
};

}  // namespace lpr_fast
