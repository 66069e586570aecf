#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "allocations.hpp"
#include "check.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_scorer {
namespace {

Array kernels(const Array& x, const Array& active, double zeta) {
    Array out(x.rows, active.rows);
    kernel_rows(x.view(), active.view(), zeta, {out.values.data(), out.rows, out.cols});
    return out;
}

struct Model {
    Array active;
    Array prior;
    HessianFactor factor;
    HessianFactor prior_factor;
    std::vector<double> weights;
    KernelScorer scorer;

    Model(Index size, Index n_features, double zeta)
        : active(positive_rows(size, n_features, 1)),
          prior(kernels(active, active, zeta)),
          factor(factorize(
              accumulated(kernels(positive_rows(2 * size + 3, n_features, 2), active, zeta)), 1e-2, prior.view()
          )),
          prior_factor(factorize_prior(prior.view())),
          weights(random_array(1, size, 3).values),
          scorer(active.view(), zeta, factor, prior_factor, view_of(weights)) {}
};

struct Scores {
    std::vector<double> forms, explained, energies;
    explicit Scores(Index n) : forms(to_size(n)), explained(to_size(n)), energies(to_size(n)) {}
    KernelScores views() { return {{{}, view(forms)}, view(explained), view(energies)}; }

private:
    static std::size_t to_size(Index n) { return static_cast<std::size_t>(n); }
    static VectorView view(std::vector<double>& values) { return {values.data(), static_cast<Index>(values.size())}; }
};

Scores scored(const Model& model, ConstMatrixView x, int n_threads = 0) {
    Scores scores(x.rows);
    model.scorer.score(x, scores.views(), n_threads);
    return scores;
}

void scores_from_features_are_those_from_kernel_rows() {
    // Sizes around those of blocks (240) and panels; features deeper than a block.
    for (const auto& [size, n_features] : {std::pair<Index, Index>{1, 1}, {7, 3}, {239, 50}, {241, 260}, {500, 250}}) {
        const Model model(size, n_features, 2.0);
        const Array x = positive_rows(130, n_features, 4);
        const Scores scores = scored(model, x.view());
        const Array phi = kernels(x, model.active, 2.0);
        CHECK(scores.forms == forms_of(model.factor, phi.view()));
        CHECK(scores.explained == forms_of(model.prior_factor, phi.view()));
        for (Index i = 0; i < x.rows; i += 13) {
            long double energy = 0.0L;
            long double terms = 0.0L;
            for (Index m = 0; m < size; ++m) {
                const long double term =
                    static_cast<long double>(phi(i, m)) * model.weights[static_cast<std::size_t>(m)];
                energy += term;
                terms += std::abs(term);
            }
            const auto difference =
                static_cast<double>(std::abs(energy - scores.energies[static_cast<std::size_t>(i)]));
            CHECK(difference <= 1e-14 * static_cast<double>(terms));
        }
    }
}

void bits_do_not_depend_on_batches_or_threads() {
    const Model model(300, 70, 3.0);
    const Array x = positive_rows(333, 70, 5);
    const Scores expected = scored(model, x.view(), 1);
    CHECK(scored(model, x.view(), 2).forms == expected.forms);
    for (const Index i : {0, 1, 23, 24, 95, 96, 332}) {
        const Scores alone = scored(model, x.rows_from(i, 1));
        const auto at = static_cast<std::size_t>(i);
        CHECK(alone.forms[0] == expected.forms[at]);
        CHECK(alone.explained[0] == expected.explained[at]);
        CHECK(alone.energies[0] == expected.energies[at]);
    }
}

void threads_can_share_a_scorer() {
    const Model model(120, 40, 4.0);
    const Array x = positive_rows(500, 40, 6);
    const Scores expected = scored(model, x.view());
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int n = 0; n < 20; ++n) wrong += scored(model, x.view(), 1).forms != expected.forms;
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
}

void nothing_is_allocated_after_the_first_calls() {
    const Model model(200, 30, 2.0);
    const Array x = positive_rows(400, 30, 7);
    const Array phi = kernels(x, model.active, 2.0);
    Scores scores(400);
    for (const int n_threads : {1, 2}) {
        const auto score = [&] {
            model.scorer.score(x.view(), scores.views(), n_threads);
            model.factor.quadratic_forms(phi.view(), {scores.forms.data(), 400}, n_threads);
        };
        CHECK(stops_allocating(score));
    }
}

void unusable_arguments_are_refused() {
    const Model model(5, 4, 2.0);
    const Array x = positive_rows(3, 4, 8);
    Scores scores(3);
    const KernelScorer plain(model.active.view(), 2.0, model.factor);
    CHECK_THROWS(
        InvalidInput, "explained cannot be scored: the scorer was made without a prior",
        plain.score(x.view(), scores.views())
    );
    CHECK_THROWS(
        InvalidInput, "energies cannot be scored: the scorer was made without weights",
        plain.score(x.view(), {{}, {}, {scores.energies.data(), 3}})
    );
    CHECK_THROWS(
        InvalidInput, "variance has shape (1, 2)", plain.score(x.view(), {{{}, {scores.forms.data(), 2}}, {}, {}})
    );
    CHECK_THROWS(InvalidInput, "features have 3 columns", plain.score(positive_rows(3, 3, 8).view(), {}));
    const Array other = positive_rows(6, 4, 9);
    CHECK_THROWS(InvalidInput, "the factor has size 5", KernelScorer(other.view(), 2.0, model.factor));
    CHECK_THROWS(
        InvalidInput, "the list of weights has size 2",
        KernelScorer(model.active.view(), 2.0, model.factor, std::nullopt, ConstVectorView{x.values.data(), 2})
    );
    CHECK_THROWS(InvalidInput, "zeta is", KernelScorer(model.active.view(), -1.0, model.factor));
    Array bad = x;
    bad(2, 1) = std::nan("");
    CHECK_THROWS(
        InvalidInput, "features row 2 holds NaN", plain.score(bad.view(), {{{}, {scores.forms.data(), 3}}, {}, {}})
    );
    plain.score(Array(0, 4).view(), {});
}

void the_instruction_set_in_use_is_available() {
    const CpuInfo info = cpu_info();
    CHECK(std::count(info.available.begin(), info.available.end(), info.instruction_set) == 1);
    const char* forced = std::getenv("LPR_FAST_INSTRUCTION_SET");
    CHECK(info.instruction_set == (forced == nullptr ? info.available.back() : forced));
}

const Tests tests("scorer", [] {
    run("scores from features are those from kernel rows", scores_from_features_are_those_from_kernel_rows);
    run("bits do not depend on batches or threads", bits_do_not_depend_on_batches_or_threads);
    run("threads can share a scorer", threads_can_share_a_scorer);
    run("nothing is allocated after the first calls", nothing_is_allocated_after_the_first_calls);
    run("unusable arguments are refused", unusable_arguments_are_refused);
    run("the instruction set in use is available", the_instruction_set_in_use_is_available);
});

}  // namespace
}  // namespace test_scorer
