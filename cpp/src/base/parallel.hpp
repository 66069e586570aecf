#pragma once

#include <functional>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Work on one task; a worker is used by one thread only, so scratch memory may live in it.
using Worker = std::function<void(Index)>;

/// The threads that a call with `n_threads` uses: the number itself, or for 0 OMP_NUM_THREADS or the cores in the
/// affinity mask. Never more than twice the cores, or eight.
/// @throws InvalidInput  for a negative number
int resolve_threads(int n_threads);

/// `n_threads`, or one for a loop of so few multiplications that threads would rather wait for one another than
/// compute: where cores are busy with something else, the end of every loop takes as long as the system lets a thread
/// wait.
int threads_for(Index n_products, int n_threads);

/// Whether this process was forked from one that had loaded this library: it has none of that one's threads, and locks
/// may be held by threads that do not exist.
bool is_forked_child();

/// Runs tasks 0 ... n_tasks - 1, handed out one by one to at most `n_threads` threads, each with a worker of its own.
///
/// The exception of the first failing task (by index, not by time) is rethrown here. A single task, and every task in a
/// process forked from one that had loaded this library, runs on the calling thread: the OpenMP runtime does not
/// survive a fork.
void parallel_for(Index n_tasks, int n_threads, const std::function<Worker()>& make_worker);

/// The same for work that needs no scratch memory.
void parallel_for_each(Index n_tasks, int n_threads, const Worker& work);

/// Tiles of `width` that cover `count` items, the last one perhaps in part.
inline Index tile_count(Index count, Index width) {
    return (count + width - 1) / width;
}

}  // namespace lpr_fast
