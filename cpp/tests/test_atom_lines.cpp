#include "atom_lines.hpp"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "check.hpp"
#include "lpr_fast/error.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_atom_lines {
namespace {

/// Result of reading lines with a symbol, a number and a word.
struct Found {
    bool is_read;
    std::vector<std::int64_t> numbers;
    std::vector<double> reals;
};

Found read(const std::string& text, Index n_rows, int n_threads = 1) {
    const auto size = static_cast<std::size_t>(n_rows);
    Found found{false, std::vector<std::int64_t>(size), std::vector<double>(size)};
    found.is_read = read_atom_lines(
        text, {Column::symbol, Column::real, Column::other}, found.numbers.data(), {found.reals.data(), n_rows, 1},
        n_threads
    );
    return found;
}

void symbols_and_numbers_are_read() {
    const Found found = read("Si 0.1 a\n  oG\t-2e3   b\r\nX +.5 c", 3);
    CHECK(found.is_read);
    CHECK((found.numbers == std::vector<std::int64_t>{14, 118, 0}));
    CHECK((found.reals == std::vector<double>{0.1, -2e3, 0.5}));
}

void numbers_beyond_the_range_of_doubles_are_infinite_or_zero() {
    const Found found = read("Si -1e999 a\nSi 1e-999 a\nSi 4.9406564584124654e-324 a\n", 3);
    CHECK(found.is_read);
    CHECK(std::isinf(found.reals[0]) && found.reals[0] < 0.0);
    CHECK(found.reals[1] == 0.0);
    CHECK(found.reals[2] > 0.0);
}

void what_can_be_understood_in_another_way_is_not_read() {
    for (const char* line :
         {"",           "\n",         "Si 1\n",      "Si 1 a b\n",      "Si nan a\n",   "Si inf a\n", "Si 0x1 a\n",
          "Si 1_0 a\n", "Si 1,5 a\n", "Si 1d0 a\n",  "Si 1e a\n",       "Si +-1 a\n",   "Si . a\n",   "Xq 1 a\n",
          "Sil 1 a\n",  "S1 1 a\n",   "S\xc3 1 a\n", "Si 1 \xc3\xad\n", "Si 1 a\x0b\n", "Si 1 a\n\n"}) {
        CHECK(!read(line, 1).is_read);
    }
    CHECK(!read(std::string("Si 1 a\0\n", 8), 1).is_read);
    CHECK(!read("Si 1 a\nSi 1 a\n", 1).is_read);
    CHECK(!read("Si 1 a\n", 2).is_read);
    CHECK(read("", 0).is_read);
}

void threads_find_the_rows_that_are_theirs() {
    std::string text;
    const Index n_rows = 100'000;
    for (Index i = 0; i < n_rows; ++i) text += "Si " + std::to_string(i) + " a\n";
    for (const int n_threads : {1, 4}) {
        const Found found = read(text, n_rows, n_threads);
        CHECK(found.is_read);
        bool in_order = true;
        for (Index i = 0; i < n_rows; ++i) {
            in_order = in_order && found.reals[static_cast<std::size_t>(i)] == static_cast<double>(i);
        }
        CHECK(in_order);
    }
    text.back() = ' ';
    CHECK(read(text, n_rows, 4).is_read);
    text[text.size() / 2] = '?';
    CHECK(!read(text, n_rows, 4).is_read);
}

void an_output_of_another_shape_is_refused() {
    double real = 0.0;
    std::int64_t number = 0;
    CHECK_THROWS(
        InvalidInput, "reals has 1 columns; it must have 0",
        read_atom_lines("Si\n", {Column::symbol}, &number, {&real, 1, 1}, 1)
    );
}

const Tests tests("atom_lines", [] {
    run("symbols and numbers are read", symbols_and_numbers_are_read);
    run("numbers beyond the range of doubles are infinite or zero",
        numbers_beyond_the_range_of_doubles_are_infinite_or_zero);
    run("what can be understood in another way is not read", what_can_be_understood_in_another_way_is_not_read);
    run("threads find the rows that are theirs", threads_find_the_rows_that_are_theirs);
    run("an output of another shape is refused", an_output_of_another_shape_is_refused);
});

}  // namespace
}  // namespace test_atom_lines
