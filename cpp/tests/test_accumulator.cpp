#include <algorithm>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_accumulator {
namespace {

constexpr Method methods[] = {Method::qr, Method::gram};

HessianAccumulator added_in_blocks(const Array& rows, Method method, Index block, int n_threads) {
    HessianAccumulator accumulator(rows.cols, method);
    for (Index first = 0; first < rows.rows; first += block) {
        accumulator.add(rows.rows_from(first, std::min(block, rows.rows - first)), {}, n_threads);
    }
    return accumulator;
}

void the_bits_do_not_depend_on_how_rows_are_cut() {
    const Array rows = random_array(4100, 24, 1);  // several leaves of either method (256, 1920 rows), and a remainder
    for (const Method method : methods) {
        const auto expected = added_in_blocks(rows, method, rows.rows, 1).to_bytes();
        for (const Index block : {1, 7, 64, 255, 256, 257, 1000}) {
            CHECK(added_in_blocks(rows, method, block, 2).to_bytes() == expected);
        }
    }
}

void merging_at_a_leaf_boundary_gives_the_bits_of_one_pass() {
    const Array rows = random_array(256 * 7 + 100, 24, 2);
    const HessianAccumulator whole = accumulated(rows);
    for (const Index leaves : {4, 6}) {  // four leaves then up to four; six then up to two
        const Index cut = leaves * whole.leaf_rows();
        HessianAccumulator first(24);
        first.add(rows.rows_from(0, cut));
        HessianAccumulator second(24);
        second.add(rows.rows_from(cut, rows.rows - cut));
        first.merge(second);
        CHECK(first.to_bytes() == whole.to_bytes());
        CHECK(first.n_rows() == rows.rows);
    }
}

void merging_anywhere_adds_the_squares() {
    const Array rows = random_array(6000, 24, 3);
    const Array phi = random_array(5, 24, 4);
    const auto expected = extended_forms(extended_hessian(rows, nullptr, 0.5, nullptr), phi);
    for (const Method method : methods) {
        for (const Index cut : {0, 1, 300, 2777, 6000}) {
            HessianAccumulator first(24, method);
            first.add(rows.rows_from(0, cut));
            HessianAccumulator second(24, method);
            second.add(rows.rows_from(cut, rows.rows - cut));
            first.merge(second);
            const auto forms = forms_of(factorize(first, 0.5), phi.view());
            for (std::size_t i = 0; i < forms.size(); ++i) CHECK_CLOSE(forms[i], expected[i], 1e-13);
        }
    }
}

void merging_with_itself_doubles_the_sum() {
    const Array rows = random_array(700, 9, 5);
    Array doubled(1400, 9);
    std::copy(rows.values.begin(), rows.values.end(), doubled.values.begin());
    std::copy(rows.values.begin(), rows.values.end(), doubled.values.begin() + 700 * 9);
    const Array phi = random_array(3, 9, 6);
    const auto expected = extended_forms(extended_hessian(doubled, nullptr, 1.0, nullptr), phi);
    for (const Method method : methods) {
        HessianAccumulator accumulator = accumulated(rows, method);
        accumulator.merge(accumulator);
        const auto forms = forms_of(factorize(accumulator, 1.0), phi.view());
        for (std::size_t i = 0; i < forms.size(); ++i) CHECK_CLOSE(forms[i], expected[i], 1e-13);
    }
}

void the_state_survives_serialisation() {
    const Array rows = random_array(4500, 20, 7);
    for (const Method method : methods) {
        for (const Index count : {0, 3, 256, 4500}) {
            HessianAccumulator accumulator(20, method);
            accumulator.add(rows.rows_from(0, count));
            const auto bytes = accumulator.to_bytes();
            HessianAccumulator restored = HessianAccumulator::from_bytes(bytes.data(), bytes.size());
            CHECK(restored.to_bytes() == bytes);
            CHECK(restored.n_rows() == count && restored.method() == method && restored.size() == 20);
            accumulator.add(rows.view());
            restored.add(rows.view());
            CHECK(restored.to_bytes() == accumulator.to_bytes());
        }
    }
}

void damaged_bytes_are_refused_whatever_is_wrong() {
    const auto bytes = accumulated(random_array(700, 6, 8)).to_bytes();
    for (std::size_t length = 0; length < bytes.size(); length += 5) {
        CHECK_THROWS(InvalidInput, "not an accumulator state", HessianAccumulator::from_bytes(bytes.data(), length));
    }
    auto longer = bytes;
    longer.push_back(0);
    CHECK_THROWS(
        InvalidInput, "not an accumulator state", HessianAccumulator::from_bytes(longer.data(), longer.size())
    );
    // All fields of the header, and the levels, with wrong values.
    for (std::size_t field = 0; field + 8 <= bytes.size(); field += 8) {
        for (const int hostile : {0x00, 0x7f, 0x80, 0xff}) {
            auto changed = bytes;
            std::fill_n(changed.begin() + static_cast<std::ptrdiff_t>(field), 8, static_cast<std::uint8_t>(hostile));
            if (changed == bytes) continue;
            CHECK_THROWS(
                InvalidInput, "not an accumulator state", HessianAccumulator::from_bytes(changed.data(), changed.size())
            );
        }
    }
}

void bad_rows_are_named_and_change_nothing() {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const Method method : methods) {
        HessianAccumulator accumulator = accumulated(random_array(10, 4, 9), method);
        const auto before = accumulator.to_bytes();
        Array rows = random_array(6, 4, 10);
        rows(3, 2) = nan;
        CHECK_THROWS(InvalidInput, "row 3 (row 13 of all added) holds nan in column 2", accumulator.add(rows.view()));
        rows(3, 2) = -std::numeric_limits<double>::infinity();
        CHECK_THROWS(InvalidInput, "row 3 (row 13 of all added) holds -inf", accumulator.add(rows.view()));
        rows(3, 2) = 1e200;
        CHECK_THROWS(InvalidInput, "square overflows", accumulator.add(rows.view()));
        rows(3, 2) = 1.0;
        std::vector<double> weights{1, 1, -0.5, 1, 1, 1};
        CHECK_THROWS(InvalidInput, "weight of row 2", accumulator.add(rows.view(), view_of(weights)));
        weights[2] = nan;
        CHECK_THROWS(InvalidInput, "weight of row 2", accumulator.add(rows.view(), view_of(weights)));
        CHECK_THROWS(
            InvalidInput, "2 weights for 6 rows", accumulator.add(rows.view(), ConstVectorView{weights.data(), 2})
        );
        CHECK_THROWS(InvalidInput, "0 weights for 6 rows", accumulator.add(rows.view(), ConstVectorView{}));
        CHECK_THROWS(InvalidInput, "n_threads is -1", accumulator.add(rows.view(), std::nullopt, -1));
        CHECK_THROWS(InvalidInput, "n_threads is -1", accumulator.merge(accumulator, -1));
        CHECK_THROWS(InvalidInput, "sizes must not be negative", accumulator.add({rows.values.data(), -1, 4}));
        CHECK_THROWS(
            InvalidInput, "the stride must be at least the number of columns",
            accumulator.add({rows.values.data(), 2, 4, 3})
        );
        CHECK_THROWS(InvalidInput, "no data", accumulator.add({nullptr, 2, 4}));
        CHECK_THROWS(InvalidInput, "4 columns, expected 5", HessianAccumulator(5, method).add(rows.view()));
        CHECK(accumulator.to_bytes() == before);
    }
    CHECK_THROWS(InvalidInput, "size M is 0", HessianAccumulator(0));
    HessianAccumulator other(4, Method::gram);
    CHECK_THROWS(InvalidInput, "another method", HessianAccumulator(4).merge(other));
    CHECK_THROWS(InvalidInput, "size 4 into one of size 3", HessianAccumulator(3, Method::gram).merge(other));
}

void copies_are_independent() {
    const Array rows = random_array(300, 5, 11);
    HessianAccumulator original = accumulated(rows);
    HessianAccumulator copy = original;
    copy.add(rows.view());
    CHECK(original.n_rows() == 300 && copy.n_rows() == 600);
    original = copy;
    CHECK(original.to_bytes() == copy.to_bytes());
}

const Tests tests("accumulator", [] {
    run("the bits do not depend on how rows are cut", the_bits_do_not_depend_on_how_rows_are_cut);
    run("merging at a leaf boundary gives the bits of one pass", merging_at_a_leaf_boundary_gives_the_bits_of_one_pass);
    run("merging anywhere adds the squares", merging_anywhere_adds_the_squares);
    run("merging with itself doubles the sum", merging_with_itself_doubles_the_sum);
    run("the state survives serialisation", the_state_survives_serialisation);
    run("damaged bytes are refused whatever is wrong", damaged_bytes_are_refused_whatever_is_wrong);
    run("bad rows are named and change nothing", bad_rows_are_named_and_change_nothing);
    run("copies are independent", copies_are_independent);
});

}  // namespace
}  // namespace test_accumulator
