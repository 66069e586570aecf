#include "lpr_fast/soap_scorer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <thread>

#include "check.hpp"
#include "lpr_fast/error.hpp"
#include "model_files.hpp"
#include "structures.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_soap_scorer {
namespace {

SoapScorer golden() {
    return SoapScorer(Model::load(data_file("structures/soap.lpr")));
}

/// lpr, variance, residual and energy of the rows, concatenated.
struct Columns {
    Array values;

    explicit Columns(Index n) : values(4, n) {}

    Scores scores() {
        std::array<VectorView, 4> views;
        for (std::size_t k = 0; k < 4; ++k)
            views[k] = {values.values.data() + static_cast<Index>(k) * values.cols, values.cols};
        return {views[0], views[1], views[2], views[3]};
    }

    bool operator==(const Columns& other) const {
        return std::equal(
            values.values.begin(), values.values.end(), other.values.values.begin(), other.values.values.end(),
            [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }
        );
    }
};

Columns scored(const SoapScorer& scorer, const Atoms& atoms, int n_threads = 1) {
    const Configuration configuration = atoms.configuration();
    Columns columns(configuration.n_centers);
    scorer.score(configuration, columns.scores(), n_threads);
    return columns;
}

void scores_are_those_of_the_features() {
    const SoapScorer scorer = golden();
    for (const Atoms& atoms : structures_of_all_kinds()) {
        const Index n = atoms.configuration().n_centers;
        Array features(n, scorer.n_features());
        scorer.features(atoms.configuration(), {features.values.data(), n, features.cols}, 2);
        Columns expected(n);
        scorer.model().score(features.view(), atoms.species.data(), expected.scores(), 1);
        report(scored(scorer, atoms) == expected, __FILE__, __LINE__, "other scores in one that is " + atoms.name);
    }
}

void neither_threads_nor_parts_nor_what_is_asked_for_change_a_bit() {
    const SoapScorer scorer = golden();
    for (const Atoms& atoms : structures_of_all_kinds()) {
        const Columns whole = scored(scorer, atoms);
        CHECK(scored(scorer, atoms, 3) == whole);
        const Structure structure(atoms.configuration(), scorer.soap().species(), scorer.cutoff());
        const std::vector<Index> order = structure.order();
        const auto n = static_cast<Index>(order.size());
        std::vector<double> lpr(order.size());
        Scores asked;
        asked.lpr = {lpr.data(), n};
        scorer.score({{&structure, n / 3, n}, {&structure, 0, n / 3}}, asked, UnknownSpecies::refuse, 2);
        for (Index i = 0; i < n; ++i) {
            const Index row = i < n - n / 3 ? i + n / 3 : i - (n - n / 3);
            CHECK(lpr[static_cast<std::size_t>(i)] == whole.values(0, order[static_cast<std::size_t>(row)]));
        }
    }
}

void many_threads_share_one_scorer() {
    const SoapScorer scorer = golden();
    const std::vector<Atoms> all = structures_of_all_kinds();
    const std::vector<std::size_t> chosen{0, 1, 9, 20};
    std::vector<Columns> expected;
    for (const std::size_t i : chosen) expected.push_back(scored(golden(), all[i]));
    std::vector<char> same(4 * chosen.size());
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (std::size_t i = 0; i < chosen.size(); ++i) {
                const std::size_t which = (i + t) % chosen.size();
                same[4 * which + t] = scored(scorer, all[chosen[which]]) == expected[which] ? 1 : 0;
            }
        });
    for (std::thread& thread : threads) thread.join();
    CHECK(std::all_of(same.begin(), same.end(), [](char is_same) { return is_same == 1; }));
}

void unknown_species_are_refused_or_marked() {
    const SoapScorer scorer = golden();
    Atoms atoms = structures_of_all_kinds().front();
    atoms.species[4] = 8;
    CHECK_THROWS(
        InvalidInput,
        "the structure has species 8 (atom 4), and the model knows 14, 31 only; fit a model with species 8, or "
        "leave such atoms out of the centers (their neighbours are then scored as if they were absent).",
        scored(scorer, atoms)
    );

    const Structure structure(atoms.configuration(), scorer.soap().species(), scorer.cutoff());
    const std::vector<bool> sees_unknown = scorer.soap().sees_unknown_species(structure);
    Columns marked(structure.n_centers());
    scorer.score({{&structure}}, marked.scores(), UnknownSpecies::mark, 2);
    Columns known(structure.n_centers());
    atoms.species[4] = 14;
    scorer.score(atoms.configuration(), known.scores());
    for (Index i = 0; i < structure.n_centers(); ++i)
        for (Index k = 0; k < 4; ++k) {
            const bool is_marked = sees_unknown[static_cast<std::size_t>(i)];
            CHECK(is_marked ? std::isnan(marked.values(k, i)) : marked.values(k, i) == known.values(k, i));
        }
}

/// Local energies and their sum of a structure's centers.
struct Energies {
    std::vector<double> local;
    double total = 0.0;

    Energies(const SoapScorer& scorer, const Structure& structure, bool with_baseline)
        : local(static_cast<std::size_t>(structure.n_centers())) {
        Predictions out;
        out.energies = {local.data(), structure.n_centers(), 1};
        out.totals = {&total, 1};
        out.with_baseline = with_baseline;
        scorer.predict({&structure}, std::nullopt, out, 2);
    }
};

void energies_have_the_baseline_unless_it_is_not_wanted() {
    const SoapScorer scorer = golden();
    const ModelInfo& info = scorer.model().info();
    for (const Atoms& atoms : structures_of_all_kinds()) {
        const Structure structure(atoms.configuration(), scorer.soap().species(), scorer.cutoff());
        std::vector<double> expected(atoms.species.size());
        Scores scores;
        scores.local_energy = {expected.data(), structure.n_centers()};
        scorer.score(atoms.configuration(), scores);
        const Energies whole(scorer, structure, true), bare(scorer, structure, false);
        long double sum = 0.0L;
        for (std::size_t i = 0; i < whole.local.size(); ++i) {
            CHECK(whole.local[i] == expected[i]);
            CHECK(whole.local[i] == info.baseline[atoms.species[i] == 14 ? 0 : 1] + bare.local[i]);
            sum += whole.local[i];
        }
        // Rounded once, but for what the sum of long doubles loses.
        CHECK(std::abs(whole.total - sum) <= 0.51L * std::numeric_limits<double>::epsilon() * std::abs(sum));
    }
}

void outputs_that_do_not_fit_are_refused() {
    const SoapScorer scorer = golden();
    const Atoms atoms = structures_of_all_kinds().front();
    Columns columns(3);
    CHECK_THROWS(
        InvalidInput, "lpr has room for 3 centers, but there are " + std::to_string(atoms.species.size()) + ";",
        scorer.score(atoms.configuration(), columns.scores())
    );
    Array features(3, scorer.n_features());
    CHECK_THROWS(
        InvalidInput, "out", scorer.features(atoms.configuration(), {features.values.data(), 3, features.cols})
    );
}

void virials_without_forces_are_refused() {
    const SoapScorer scorer = golden();
    const Atoms atoms = structures_of_all_kinds().front();
    const auto n = static_cast<Index>(atoms.species.size());
    const Structure structure(atoms.configuration(), scorer.soap().species(), scorer.cutoff());
    Array energies(n, 1);
    Array virials(3, 3);
    Predictions out;
    out.energies = {energies.values.data(), n, 1};
    out.virials = {virials.values.data(), 3, 3};
    CHECK_THROWS(
        InvalidInput, "virials are computed together with forces; give room for forces too.",
        scorer.predict({&structure, 0, n}, std::nullopt, out)
    );
}

void totals_and_forces_need_no_room_for_local_energies() {
    const SoapScorer scorer = golden();
    const Atoms atoms = structures_of_all_kinds().front();
    const auto n = static_cast<Index>(atoms.species.size());
    const Structure structure(atoms.configuration(), scorer.soap().species(), scorer.cutoff());
    Array weights(2, scorer.model().info().size);
    for (std::size_t i = 0; i < weights.values.size(); ++i) weights.values[i] = std::sin(static_cast<double>(i));
    const auto predicted = [&](MatrixView energies) {
        std::vector<double> numbers(static_cast<std::size_t>(2 + 6 * n));
        Predictions out;
        out.energies = energies;
        out.totals = {numbers.data(), 2};
        out.forces = {numbers.data() + 2, 2 * n, 3};
        scorer.predict({&structure}, weights.view(), out, 2);
        return numbers;
    };
    Array energies(n, 2);
    CHECK(predicted({}) == predicted({energies.values.data(), n, 2}));
    CHECK(std::any_of(energies.values.begin(), energies.values.end(), [](double energy) { return energy != 0.0; }));
}

void parts_without_a_structure_are_refused() {
    const SoapScorer scorer = golden();
    const auto refused = [](const auto& call) {
        CHECK_THROWS(InvalidInput, "the part has no structure; give a pointer to one.", call());
    };
    refused([&] { scorer.score({Part{}}, {}); });
    refused([&] { scorer.soap().features({Part{}}, {}); });
    refused([&] { scorer.predict(Part{}, std::nullopt, {}); });
    refused([&] { scorer.score_gradient(Part{}, {}, {}); });
}

void atoms_without_centers_are_refused() {
    const SoapScorer scorer = golden();
    const Atoms atoms = structures_of_all_kinds().front();
    Configuration forgotten = atoms.configuration();
    forgotten.n_centers = 0;
    const auto refused = [&](const auto& call) {
        CHECK_THROWS(
            InvalidInput,
            "n_centers is 0, but the structure has " + std::to_string(atoms.species.size()) +
                " atoms; set it to the number of atoms to score (n_atoms for all), and make no call where there are "
                "none.",
            call()
        );
    };
    refused([&] { scorer.score(forgotten, {}); });
    refused([&] { scorer.features(forgotten, {}); });
    refused([&] { Structure(forgotten, scorer.soap().species(), scorer.cutoff()); });
    Columns none(0);
    scorer.score(Configuration{}, none.scores());
}

void models_that_describe_nothing_are_refused() {
    const auto refused = [](const char* name, const char* sentence) {
        const Model model = Model::load(data_file(name));
        CHECK_THROWS(InvalidInput, sentence, SoapScorer(model));
    };
    refused("linear.lpr", "features of another origin than SOAP power spectra");
    refused("one_species.lpr", "features of another origin than SOAP power spectra");
    refused("two_species.lpr", "the model has 5 features, but its radial table makes");
    refused("v1/two_species.lpr", "of version 1; convert it with lpr-fast upgrade");
}

const Tests tests("soap_scorer", [] {
    run("scores are those of the features", scores_are_those_of_the_features);
    run("neither threads nor parts nor what is asked for change a bit",
        neither_threads_nor_parts_nor_what_is_asked_for_change_a_bit);
    run("many threads share one scorer", many_threads_share_one_scorer);
    run("unknown species are refused or marked", unknown_species_are_refused_or_marked);
    run("energies have the baseline unless it is not wanted", energies_have_the_baseline_unless_it_is_not_wanted);
    run("outputs that do not fit are refused", outputs_that_do_not_fit_are_refused);
    run("virials without forces are refused", virials_without_forces_are_refused);
    run("totals and forces need no room for local energies", totals_and_forces_need_no_room_for_local_energies);
    run("parts without a structure are refused", parts_without_a_structure_are_refused);
    run("atoms without centers are refused", atoms_without_centers_are_refused);
    run("models that describe nothing are refused", models_that_describe_nothing_are_refused);
});

}  // namespace
}  // namespace test_soap_scorer
