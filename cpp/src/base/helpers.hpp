#pragma once

#include <functional>

namespace lpr_fast {

/// Runs body() on the calling thread, and meanwhile on up to so many others; returns when all that began it have ended.
///
/// Threads that have nothing to do sleep, and none is waited for that has not begun: where cores are busy with
/// something else, a call takes no longer than without helpers. So body() has to be right however many threads run it,
/// the calling one alone among them, and must not throw. Where the system refuses a thread there are fewer. Helpers may
/// themselves ask for helpers. Not for a forked child, which has none of the threads.
void run_with_helpers(int n_helpers, const std::function<void()>& body);

}  // namespace lpr_fast
