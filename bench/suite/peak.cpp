// The most multiply-adds that a core can do: independent accumulators in registers, on the widest vectors.

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
constexpr int n_accumulators = 24;
#elif defined(__AVX__)
constexpr int vector_bytes = 32;
constexpr int n_accumulators = 12;
#elif defined(__aarch64__)
constexpr int vector_bytes = 16;
constexpr int n_accumulators = 24;
#else
constexpr int vector_bytes = 16;
constexpr int n_accumulators = 12;
#endif
constexpr int lanes = vector_bytes / 8;
typedef double Vector __attribute__((vector_size(vector_bytes)));

double multiply_add(long rounds, double start) {
    const Vector factor = Vector{} + 0.999999999;
    const Vector term = Vector{} + 1e-9;
    Vector sums[n_accumulators];
#pragma GCC unroll 32
    for (int i = 0; i < n_accumulators; ++i) sums[i] = Vector{} + (start + i);
    for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 32
        for (int i = 0; i < n_accumulators; ++i) sums[i] = sums[i] * factor + term;
    }
    Vector total{};
#pragma GCC unroll 32
    for (int i = 0; i < n_accumulators; ++i) total += sums[i];
    double sum = 0;
    for (int i = 0; i < lanes; ++i) sum += total[i];
    return sum;
}

}  // namespace

extern "C" int peak_vector_bits() {
    return vector_bytes * 8;
}

// 1e9 operations per second of all threads together, which take pieces of the work until none is left.
extern "C" double peak_gigaflops(int n_threads, long rounds) {
    constexpr int pieces_of_thread = 32;
    const int n_pieces = pieces_of_thread * n_threads;
    std::vector<double> sums(n_pieces);
    std::atomic<int> next{0};
    const auto work = [&] {
        for (int i = next++; i < n_pieces; i = next++) sums[i] = multiply_add(rounds, i);
    };
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (int t = 1; t < n_threads; ++t) threads.emplace_back(work);
    work();
    for (auto& thread : threads) thread.join();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    volatile double sink = 0;
    for (const double sum : sums) sink = sink + sum;
    return 2e-9 * lanes * n_accumulators * double(rounds) * n_pieces / seconds.count();
}
