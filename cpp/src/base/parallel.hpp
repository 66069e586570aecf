#pragma once

#include <functional>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Work on one task. Only one thread uses a worker, so it may own scratch memory.
using Worker = std::function<void(Index)>;

/// The number of threads that a call with `n_threads` uses: n_threads itself; for 0, OMP_NUM_THREADS if it is set,
/// otherwise the number of cores in the affinity mask. At most twice the number of cores, or eight if that is more.
/// @throws InvalidInput  for a negative number
int resolve_threads(int n_threads);

/// `n_threads`, or 1 for a loop with too few multiplications to be worth several threads: at the end of a loop threads
/// wait for one another, which takes long when other processes use the cores.
int threads_for(Index n_products, int n_threads);

/// Whether this process was forked from one that had loaded this library. It has none of the threads of its parent, and
/// locks may be held by threads that do not exist here.
bool is_forked_child();

/// Runs tasks 0 ... n_tasks - 1, handed out one by one to at most `n_threads` threads, each with its own worker.
///
/// Rethrows the exception of the failed task with the lowest index. A single task runs on the calling thread, and so do
/// all tasks of a forked child: the OpenMP runtime does not survive a fork.
void parallel_for(Index n_tasks, int n_threads, const std::function<Worker()>& make_worker);

/// As parallel_for, for work that needs no scratch memory.
void parallel_for_each(Index n_tasks, int n_threads, const Worker& work);

/// Number of tiles of `width` items that cover `count` items.
inline Index tile_count(Index count, Index width) {
    return (count + width - 1) / width;
}

}  // namespace lpr_fast
