#include "base/helpers.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/parallel.hpp"

namespace lpr_fast {
namespace {

/// One call of run_with_helpers().
struct Call {
    const std::function<void()>& body;
    int n_seats;  ///< for helpers that may still come
    int n_running = 0;
    std::condition_variable is_left{};
};

/// Threads that sleep until there is a call to help with.
class Helpers {
public:
    void run(int n_helpers, const std::function<void()>& body) {
        Call call{body, n_helpers};
        open(call, n_helpers);
        body();
        close(call);
    }

    /// No helper is left afterwards, and none comes again.
    void end() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            has_ended_ = true;
        }
        is_needed_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

private:
    void open(Call& call, int n_helpers) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            calls_.push_back(&call);
            hire(n_helpers);
        }
        for (int k = 0; k < n_helpers; ++k) is_needed_.notify_one();
    }

    void close(Call& call) {
        std::unique_lock<std::mutex> lock(mutex_);
        calls_.erase(std::find(calls_.begin(), calls_.end(), &call));
        call.is_left.wait(lock, [&] { return call.n_running == 0; });
    }

    /// Begins threads, if fewer than wanted are idle.
    void hire(int n_wanted) {
        try {
            while (!has_ended_ && n_idle_ < n_wanted && static_cast<int>(threads_.size()) < most_threads()) {
                threads_.emplace_back([this] { help(); });
                ++n_idle_;
            }
        } catch (const std::exception&) {
            return;  // with those that there are
        }
    }

    void help() {
        std::unique_lock<std::mutex> lock(mutex_);
        while (true) {
            Call* call = nullptr;
            is_needed_.wait(lock, [&] { return has_ended_ || (call = free_call()) != nullptr; });
            if (has_ended_) return;
            --n_idle_;
            --call->n_seats;
            ++call->n_running;
            lock.unlock();
            call->body();
            lock.lock();
            ++n_idle_;
            if (--call->n_running == 0) call->is_left.notify_one();
        }
    }

    Call* free_call() const {
        const auto place =
            std::find_if(calls_.begin(), calls_.end(), [](const Call* call) { return call->n_seats > 0; });
        return place == calls_.end() ? nullptr : *place;
    }

    std::mutex mutex_;
    std::condition_variable is_needed_;
    std::vector<Call*> calls_;
    std::vector<std::thread> threads_;
    int n_idle_ = 0;
    bool has_ended_ = false;
};

/// Ends the helpers before the code that they run is gone. A forked child has none, and must not wait for them.
class EndOfProcess {
public:
    explicit EndOfProcess(Helpers& helpers) : helpers_(helpers) {}
    EndOfProcess(const EndOfProcess&) = delete;
    EndOfProcess& operator=(const EndOfProcess&) = delete;
    ~EndOfProcess() {
        if (!is_forked_child()) helpers_.end();
    }

private:
    Helpers& helpers_;
};

/// They are never destroyed: a thread of the host may still call when the process is about to end.
Helpers& helpers() {
    static Helpers* const all = new Helpers;
    static const EndOfProcess end(*all);
    return *all;
}

}  // namespace

void run_with_helpers(int n_helpers, const std::function<void()>& body) {
    helpers().run(n_helpers, body);
}

}  // namespace lpr_fast
