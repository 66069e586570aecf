#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "allocations.hpp"
#include "check.hpp"
#include "model_files.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_model {
namespace {

struct Columns {
    std::vector<double> lpr, lpr_held, variance, sigma, residual, energy, percentile, verdict, spread;

    explicit Columns(std::size_t n)
        : lpr(n), lpr_held(n), variance(n), sigma(n), residual(n), energy(n), percentile(n), verdict(n), spread(n) {}

    /// In the order of score_columns.
    std::array<std::vector<double>*, score_columns.size()> all() {
        return {&lpr, &lpr_held, &variance, &sigma, &residual, &energy, &percentile, &verdict, &spread};
    }

    Scores views(const ModelInfo& info) {
        Scores scores;
        for (std::size_t k = 0; k < score_columns.size(); ++k) {
            std::vector<double>& column = *all()[k];
            if (!score_columns[k].is_given(info)) continue;
            scores.*(score_columns[k].view) = {column.data(), static_cast<Index>(column.size())};
        }
        return scores;
    }

    /// The scores that rows of phi have.
    Scores views_of_phi(const ModelInfo& info) {
        Scores scores = views(info);
        scores.residual = scores.sigma = scores.percentile = scores.verdict = {};
        return scores;
    }

    bool operator==(const Columns& other) const {
        return lpr == other.lpr && lpr_held == other.lpr_held && variance == other.variance && sigma == other.sigma &&
               residual == other.residual && energy == other.energy && percentile == other.percentile &&
               verdict == other.verdict && spread == other.spread;
    }
};

Columns scored(const Model& model, const Environments& of, int n_threads = 1) {
    Columns columns(of.species.size());
    model.score(of.features.view(), of.species.data(), columns.views(model.info()), n_threads);
    return columns;
}

/// Environments 0 ... n - 1, repeated periodically.
Environments repeated(const Environments& some, Index n) {
    Environments many{Array(n, some.features.cols), {}, {}};
    for (Index i = 0; i < n; ++i) {
        const Index from = i % some.features.rows;
        for (Index k = 0; k < some.features.cols; ++k) many.features(i, k) = some.features(from, k);
        many.species.push_back(some.species[static_cast<std::size_t>(from)]);
    }
    return many;
}

void check_same(double found, double expected, double relative = 1e-12, double absolute = 1e-300) {
    if (std::isinf(expected)) {
        CHECK(found == expected);
    } else {
        CHECK(std::abs(found - expected) <= relative * std::abs(expected) + absolute);
    }
}

void scores_are_those_of_numpy() {
    for (const std::string& name : model_names) {
        const Model model = Model::load(data_file(name + ".lpr"));
        const Environments environments = read_environments(name);
        CHECK(environments.features.rows == 24);
        Columns found = scored(model, environments);
        for (std::size_t k = 0; k < score_columns.size(); ++k) {
            const std::string column = score_columns[k].name;
            // Within a bin of the reference, a thousandth of the LPR, the percentile may differ by one environment.
            const double relative = column == "percentile" ? 1e-9 : 1e-12;
            const double absolute = column == "residual" ? 1e-12 : 1e-300;  // a difference from one
            for (std::size_t i = 0; i < environments.species.size(); ++i) {
                const double expected = environments.expected[i][k];
                CHECK(score_columns[k].is_given(model.info()) != std::isnan(expected));
                if (!std::isnan(expected)) check_same((*found.all()[k])[i], expected, relative, absolute);
            }
        }
    }
}

void a_model_says_what_it_is() {
    const Model model = Model::load(data_file("two_species.lpr"));
    const ModelInfo& info = model.info();
    CHECK(info.kind == "sparse_kernel" && info.loss == "per_atom");
    CHECK((info.species == std::vector<int>{8, 14, 31}));
    CHECK(info.n_features == 5 && info.size == 9 && info.n_dropped == 2);
    CHECK(info.regularizer == 1e-3 && info.zeta == 1.5);
    CHECK(info.has_energies && info.has_residual);
    CHECK((info.baseline == std::vector<double>{-0.1 * 8, -0.1 * 14, -0.1 * 31}));
    CHECK(contains(info.hypers, "\"cutoff\"") && contains(info.provenance, "tools/cpp_models.py"));
    CHECK(info.condition_number == model.factor().condition_number() && info.condition_number > 1.0);
    CHECK(model.factor().size() == 9 && model.factor().n_dropped() == 2);

    const Model linear = Model::load(data_file("linear.lpr"));
    CHECK(info.descriptor == "soap" && info.has_radial_table && linear.info().descriptor == "array");
    CHECK(model.weights().size == 9 && model.active().rows == 9 && model.active().cols == 5);
    CHECK(
        linear.info().kind == "linear" && linear.active().data == nullptr && linear.info().zeta == 0.0 &&
        linear.info().hypers.empty()
    );
    CHECK(linear.info().size == 10 && !linear.info().has_residual);
    const Model bare = Model::load(data_file("no_energies.lpr"));
    CHECK(bare.info().descriptor.empty() && bare.weights().data == nullptr);
    CHECK(!bare.info().has_energies && bare.info().baseline.empty());
}

void environments_that_resemble_nothing_have_no_data_but_a_residual() {
    const Model model = Model::load(data_file("two_species.lpr"));
    const Array features(2, 5);  // zeros
    Environments environments{features, {14, 8}, {}};
    environments.features(1, 2) = 3.0;
    const Columns found = scored(model, environments);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(std::isinf(found.lpr[i]) && found.variance[i] == 0.0 && found.residual[i] == 1.0);
        CHECK(found.energy[i] == -0.1 * environments.species[i]);
    }
}

void bits_do_not_depend_on_batches_order_threads_or_what_is_wanted() {
    for (const std::string& name : model_names) {
        const Model model = Model::load(data_file(name + ".lpr"));
        const Environments many = repeated(read_environments(name), 1000);
        const Columns reference = scored(model, many, 1);
        CHECK(scored(model, many, 3) == reference);
        const Index n = many.features.rows;
        Environments reversed{Array(n, 5), {many.species.rbegin(), many.species.rend()}, {}};
        for (Index i = 0; i < n; ++i)
            std::copy_n(&many.features.values[static_cast<std::size_t>(5 * (n - 1 - i))], 5, &reversed.features(i, 0));
        Columns backwards = scored(model, reversed, 2);
        std::reverse(backwards.lpr.begin(), backwards.lpr.end());
        CHECK(backwards.lpr == reference.lpr);
        for (Index i = 0; i < 24; ++i) {
            double lpr = 0.0;
            model.score(many.features.rows_from(i, 1), &many.species[static_cast<std::size_t>(i)], {{&lpr, 1}});
            CHECK(lpr == reference.lpr[static_cast<std::size_t>(i)]);
        }
    }
}

void threads_can_share_a_model() {
    for (const std::string& name : model_names) {
        const Model model = Model::load(data_file(name + ".lpr"));
        const Environments many = repeated(read_environments(name), 300);
        const Columns reference = scored(Model::load(data_file(name + ".lpr")), many, 1);
        std::vector<Columns> found(8, Columns(many.species.size()));
        std::vector<std::thread> threads;
        for (Columns& columns : found) {
            threads.emplace_back([&] {
                for (int n = 0; n < 20; ++n) {
                    model.score(many.features.view(), many.species.data(), columns.views(model.info()), 1);
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        for (const Columns& columns : found) CHECK(columns == reference);
    }
}

void nothing_is_allocated_after_the_first_calls() {
    for (const std::string& name : model_names) {
        const Model model = Model::load(data_file(name + ".lpr"));
        const Environments many = repeated(read_environments(name), 400);
        const Array phi = random_array(400, model.info().size, 3);
        Columns columns(400);
        const Scores all = columns.views(model.info());
        const Scores of_phi = columns.views_of_phi(model.info());
        for (const int n_threads : {1, 2}) {
            const auto score = [&] {
                model.score(many.features.view(), many.species.data(), all, n_threads);
                model.score_phi(phi.view(), of_phi, n_threads);
            };
            CHECK(stops_allocating(score));
        }
    }
}

void rows_of_phi_and_features_agree() {
    const Model model = Model::load(data_file("linear.lpr"));
    const Environments some = read_environments("linear");
    Array phi(24, 10);
    for (Index i = 0; i < 24; ++i) {
        const Index first = some.species[static_cast<std::size_t>(i)] == 14 ? 0 : 5;
        for (Index k = 0; k < 5; ++k) phi(i, first + k) = some.features(i, k);
    }
    const Columns expected = scored(model, some);
    Columns found(24);
    model.score_phi(phi.view(), found.views(model.info()));
    for (std::size_t i = 0; i < 24; ++i) {
        if (i != 3) CHECK_CLOSE(found.variance[i], expected.variance[i], 1e-12);
        CHECK(std::isinf(found.lpr[i]) == (i == 3));
        const double baseline = -0.1 * some.species[i];
        CHECK(std::abs(found.energy[i] + baseline - expected.energy[i]) <= 1e-12 * std::abs(expected.energy[i]));
    }
}

void phi_gives_the_same_scores_as_its_features() {
    for (const std::string& name : model_names) {
        const Model model = Model::load(data_file(name + ".lpr"));
        const Environments some = read_environments(name);
        Array phi(24, model.info().size);
        model.phi(some.features.view(), some.species.data(), {phi.values.data(), 24, phi.cols});
        const Columns expected = scored(model, some);
        Columns found(24);
        model.score_phi(phi.view(), found.views_of_phi(model.info()));
        for (std::size_t i = 0; i < 24; ++i) {
            CHECK(std::abs(found.variance[i] - expected.variance[i]) <= 1e-11 * expected.variance[i]);
            if (model.info().has_held) check_same(found.lpr_held[i], expected.lpr_held[i], 1e-11);
        }
    }
}

void unusable_arguments_are_refused() {
    const Model model = Model::load(data_file("two_species.lpr"));
    const Model linear = Model::load(data_file("linear.lpr"));
    const Model bare = Model::load(data_file("no_energies.lpr"));
    Environments some = read_environments("two_species");
    Columns columns(24);
    const Scores scores = columns.views(model.info());
    const auto score = [&](const Model& by) { by.score(some.features.view(), some.species.data(), scores); };
    CHECK_THROWS(InvalidInput, "linear models have no residual", score(linear));
    CHECK_THROWS(InvalidInput, "the model was fitted without energies", score(bare));
    CHECK_THROWS(
        InvalidInput, "features have 4 columns, but this model was fitted to 5",
        model.score(Array(24, 4).view(), some.species.data(), scores)
    );
    CHECK_THROWS(
        InvalidInput, "out has shape (24, 5), expected (24, 9)",
        model.phi(some.features.view(), some.species.data(), {some.features.values.data(), 24, 5})
    );
    CHECK_THROWS(
        InvalidInput, "lpr has shape (1, 3)",
        model.score(some.features.view(), some.species.data(), {{columns.lpr.data(), 3}})
    );
    CHECK_THROWS(InvalidInput, "there are no species", model.score(some.features.view(), nullptr, scores));
    CHECK_THROWS(InvalidInput, "cannot be scored from phi", model.score_phi(Array(24, 9).view(), scores));
    CHECK_THROWS(InvalidInput, "phi has 5 columns, expected 9", model.score_phi(some.features.view(), scores));
    some.species[5] = 79;
    CHECK_THROWS(
        InvalidInput, "row 5 is an environment of species 79, and the model knows 8, 14, 31 only; fit a model with",
        score(model)
    );
    some.species[5] = 14;
    for (const double value : {std::nan(""), HUGE_VAL, 1e200}) {
        some.features(6, 1) = value;
        CHECK_THROWS(InvalidInput, "features row 6 holds NaN, infinity or an entry above 1e140", score(model));
    }
    model.score(Array(0, 5).view(), nullptr, {});
}

void files_that_cannot_be_read_are_refused() {
    CHECK_THROWS(
        InvalidInput, "/nowhere/x.lpr cannot be read (No such file or directory); check", Model::load("/nowhere/x.lpr")
    );
    CHECK_THROWS(InvalidInput, "is not a regular file; give", Model::load(data_file("")));
    CHECK_THROWS(InvalidInput, "/dev/null is not a regular file", Model::load("/dev/null"));
}

/// The same model, calibrated.
Model calibrated(const Model& model, const std::string& facts) {
    ModelParts parts = model.parts();
    const std::string::size_type place = parts.text.find("\"scale\"");
    CHECK(place != std::string::npos);
    parts.text.insert(place, facts + ", ");
    return Model::from_parts(parts);
}

void sigma_is_the_root_of_the_scaled_variance() {
    const Model plain = Model::load(data_file("one_species.lpr"));
    const Environments environments = read_environments("one_species");
    const auto n = static_cast<Index>(environments.species.size());
    std::vector<double> sigma(environments.species.size());
    Scores wanted;
    wanted.sigma = {sigma.data(), n};
    const auto score = [&](const Model& model) {
        model.score(environments.features.view(), environments.species.data(), wanted);
    };
    const Columns expected = scored(plain, environments);
    for (const double projected : {0.0, 1.0}) {
        const std::string kind = projected > 0.0 ? "1" : "0";
        score(calibrated(plain, R"("prior_variance": 4.0, "projected_process": )" + kind));
        for (std::size_t i = 0; i < sigma.size(); ++i) {
            check_same(sigma[i], 2.0 * std::sqrt(expected.variance[i] + projected * expected.residual[i]));
        }
    }
    CHECK_THROWS(InvalidInput, "the model was not calibrated", score(plain));
    const Model held = Model::load(data_file("held.lpr"));
    const Array phi(n, held.info().size);
    CHECK_THROWS(
        InvalidInput, "sigma, percentile and verdict cannot be scored from phi", held.score_phi(phi.view(), wanted)
    );
}

/// The spread of some numbers, by its definition.
double deviation_of(const std::vector<long double>& numbers) {
    const auto n = static_cast<long double>(numbers.size());
    long double sum = 0.0L, squares = 0.0L;
    for (const long double x : numbers) sum += x;
    for (const long double x : numbers) squares += (x - sum / n) * (x - sum / n);
    return static_cast<double>(std::sqrt(squares / (n - 1.0L)));
}

Array energies_by_members(const Model& model, const Environments& of, int n_threads = 1) {
    Array energies(of.features.rows, model.info().n_members);
    Scores wanted;
    wanted.member_energies = {energies.values.data(), energies.rows, energies.cols};
    model.score(of.features.view(), of.species.data(), wanted, n_threads);
    return energies;
}

/// The model with the weights of a member as its own.
Model led_by(const Model& model, Index member) {
    ModelParts parts = model.parts();
    parts.arrays["weights"] = parts.arrays["members"];
    parts.arrays["weights"].rows = parts.arrays["weights"].n_extents = 1;
    parts.arrays["weights"].bytes = reinterpret_cast<const std::uint8_t*>(model.members().row(member));
    return Model::from_parts(parts);
}

void members_have_the_bits_of_models_of_their_own() {
    for (const std::string name : {"held", "constants"}) {
        const Model model = Model::load(data_file(name + ".lpr"));
        const Environments environments = repeated(read_environments(name), 500);
        const Array energies = energies_by_members(model, environments);
        CHECK(model.info().n_members == 3 && model.members().cols == model.info().size);
        CHECK(energies.values == energies_by_members(model, environments, 3).values);
        const Columns found = scored(model, environments);
        for (Index k = 0; k < energies.cols; ++k) {
            const Columns own = scored(led_by(model, k), environments);
            for (Index i = 0; i < energies.rows; ++i) CHECK(energies(i, k) == own.energy[static_cast<std::size_t>(i)]);
        }
        for (Index i = 0; i < energies.rows; ++i) {
            std::vector<long double> of_one;
            for (Index k = 0; k < energies.cols; ++k) of_one.push_back(energies(i, k));
            const double largest = std::abs(energies(i, 0)) + std::abs(energies(i, 1)) + std::abs(energies(i, 2));
            check_same(found.spread[static_cast<std::size_t>(i)], deviation_of(of_one), 1e-13, 1e-14 * largest);
        }
    }
}

void members_that_do_not_fit_are_refused() {
    const Model held = Model::load(data_file("held.lpr"));
    const auto with = [&](Index rows, Index cols) {
        ModelParts parts = held.parts();
        const std::vector<double> numbers(static_cast<std::size_t>(rows * cols), 1.0);
        parts.arrays["members"] = {
            NumberType::f64, rows, cols, 2, reinterpret_cast<const std::uint8_t*>(numbers.data())
        };
        return Model::from_parts(parts);
    };
    const Index size = held.info().size;
    const Model of_two = with(2, size);
    CHECK(of_two.info().n_members == 2);
    CHECK_THROWS(InvalidInput, "the members and the model have different numbers of weights", with(3, size - 1));
    CHECK_THROWS(InvalidInput, "the number of members is not between 2 and 100000", with(1, size));
    CHECK_THROWS(InvalidInput, "the number of members is not between 2 and 100000", with(100001, size));
    const Environments environments = read_environments("held");
    Array room(environments.features.rows, 2);
    Scores wanted;
    wanted.member_energies = {room.values.data(), room.rows, room.cols};
    const auto score = [&](const Model& model) {
        model.score(environments.features.view(), environments.species.data(), wanted);
    };
    CHECK_THROWS(InvalidInput, "member_energies has shape (24, 2), expected (24, 3)", score(held));
    CHECK_THROWS(InvalidInput, "the model has no members", score(Model::load(data_file("linear.lpr"))));
}

const Tests tests("model", [] {
    run("scores are those of NumPy", scores_are_those_of_numpy);
    run("a model says what it is", a_model_says_what_it_is);
    run("environments that resemble nothing", environments_that_resemble_nothing_have_no_data_but_a_residual);
    run("same bits", bits_do_not_depend_on_batches_order_threads_or_what_is_wanted);
    run("threads can share a model", threads_can_share_a_model);
    run("nothing is allocated after the first calls", nothing_is_allocated_after_the_first_calls);
    run("rows of phi and features agree", rows_of_phi_and_features_agree);
    run("phi gives the same scores as its features", phi_gives_the_same_scores_as_its_features);
    run("unusable arguments are refused", unusable_arguments_are_refused);
    run("members have the bits of models of their own", members_have_the_bits_of_models_of_their_own);
    run("members that do not fit are refused", members_that_do_not_fit_are_refused);
    run("sigma is the root of the scaled variance", sigma_is_the_root_of_the_scaled_variance);
    run("files that cannot be read are refused", files_that_cannot_be_read_are_refused);
});

}  // namespace
}  // namespace test_model
