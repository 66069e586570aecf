#include "base/parallel.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "lpr_fast/error.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_parallel {
namespace {

void every_task_runs_once() {
    for (const int n_threads : {0, 1, 2, 7, 1000}) {
        std::vector<std::atomic<int>> counts(257);
        parallel_for_each(257, n_threads, [&](Index task) { ++counts[static_cast<std::size_t>(task)]; });
        for (const auto& count : counts) CHECK(count == 1);
    }
    parallel_for_each(0, 2, [](Index) { CHECK(false); });
}

void the_exception_of_the_first_failing_task_arrives() {
    for (int repeat = 0; repeat < 50; ++repeat) {
        const auto fail_from_13_on = [](Index task) {
            if (task >= 13) throw std::runtime_error("task " + std::to_string(task));
        };
        CHECK_THROWS(std::runtime_error, "task 13", parallel_for_each(100, 2, fail_from_13_on));
    }
}

void calls_from_many_threads_and_from_tasks_are_all_done() {
    std::atomic<int> count{0};
    const auto inner = [&](Index) { ++count; };
    const auto outer = [&](Index) { parallel_for_each(20, 3, inner); };
    std::vector<std::thread> hosts;
    for (int k = 0; k < 8; ++k) {
        hosts.emplace_back([&] {
            for (int repeat = 0; repeat < 25; ++repeat) parallel_for_each(4, 2, outer);
        });
    }
    for (std::thread& host : hosts) host.join();
    CHECK(count == 8 * 25 * 4 * 20);
}

void a_short_loop_runs_on_the_calling_thread() {
    CHECK(threads_for(1000, 4) == 1);
    CHECK(threads_for(Index{1} << 30, 4) == 4);
    CHECK(threads_for(Index{1} << 30, 0) == 0);
}

void a_worker_that_cannot_be_made_is_an_error() {
    const auto make = []() -> Worker { throw std::bad_alloc(); };
    CHECK_THROWS(std::bad_alloc, "bad_alloc", parallel_for(10, 2, make));
}

void negative_thread_counts_are_refused() {
    CHECK_THROWS(InvalidInput, "n_threads is -1", resolve_threads(-1));
}

void the_environment_sets_the_default() {
    setenv("OMP_NUM_THREADS", "3,2", 1);
    CHECK(resolve_threads(0) == 3);
    CHECK(resolve_threads(5) == 5);
    setenv("OMP_NUM_THREADS", "many", 1);
    CHECK(resolve_threads(0) >= 1);
    unsetenv("OMP_NUM_THREADS");
    CHECK(resolve_threads(0) >= 1);
}

void a_forked_child_works_after_use_in_the_parent() {
    std::atomic<int> count{0};
    parallel_for_each(64, 2, [&](Index) { ++count; });
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);  // a hang ends the child with a signal
        std::atomic<int> in_child{0};
        parallel_for_each(64, 2, [&](Index) { ++in_child; });
        _exit(in_child == 64 ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    parallel_for_each(64, 2, [&](Index) { ++count; });
    CHECK(count == 128);
}

const Tests tests("parallel", [] {
    run("every task runs once", every_task_runs_once);
    run("the exception of the first failing task arrives", the_exception_of_the_first_failing_task_arrives);
    run("calls from many threads and from tasks are all done", calls_from_many_threads_and_from_tasks_are_all_done);
    run("a short loop runs on the calling thread", a_short_loop_runs_on_the_calling_thread);
    run("a worker that cannot be made is an error", a_worker_that_cannot_be_made_is_an_error);
    run("negative thread counts are refused", negative_thread_counts_are_refused);
    run("the environment sets the default", the_environment_sets_the_default);
    run("a forked child works after use in the parent", a_forked_child_works_after_use_in_the_parent);
});

}  // namespace
}  // namespace test_parallel
