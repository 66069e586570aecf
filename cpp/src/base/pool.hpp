#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/parallel.hpp"

namespace lpr_fast {

/// Scratch memory that threads take and return: after the first calls nothing is allocated. A forked child allocates
/// its own, because the lock may be held by a thread that the child does not have.
template <typename Scratch>
class Pool {
public:
    class Lease {
    public:
        Lease(Pool& owner, std::unique_ptr<Scratch> held) : owner_(owner), held_(std::move(held)) {}
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease() { owner_.give_back(std::move(held_)); }
        Scratch& operator*() { return *held_; }

    private:
        Pool& owner_;
        std::unique_ptr<Scratch> held_;
    };

    Lease take() {
        if (is_forked_child()) return {*this, std::make_unique<Scratch>()};
        const std::lock_guard<std::mutex> lock(mutex_);
        if (free_.empty()) {
            free_.reserve(free_.capacity() + 1);  // so that returning it cannot fail
            return {*this, std::make_unique<Scratch>()};
        }
        auto scratch = std::move(free_.back());
        free_.pop_back();
        return {*this, std::move(scratch)};
    }

private:
    void give_back(std::unique_ptr<Scratch> scratch) {
        if (is_forked_child()) return;
        const std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(std::move(scratch));
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<Scratch>> free_;
};

}  // namespace lpr_fast
