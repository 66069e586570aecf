#include "atom_lines.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string>
#include <system_error>

#include "base/parallel.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

constexpr const char* all_symbols =
    "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg "
    "Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og";

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

bool is_word_character(char c) {
    return c > ' ' && c < '\x7f';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// The next word of a line; empty at the end of the line and at a character outside printable ASCII.
std::string_view next_word(const char*& place, const char* end) {
    while (place != end && is_blank(*place)) ++place;
    const char* first = place;
    while (place != end && is_word_character(*place)) ++place;
    return {first, static_cast<std::size_t>(place - first)};
}

/// Atomic numbers by chemical symbol, in any case of letters.
class Symbols {
public:
    Symbols() {
        numbers_.fill(-1);
        const std::string_view text = all_symbols;
        const char* place = text.data();
        std::int64_t number = 0;
        for (auto word = next_word(place, text.data() + text.size()); !word.empty();
             word = next_word(place, text.data() + text.size())) {
            numbers_[index_of(word)] = number++;
        }
    }

    /// @returns -1 if the word is not a symbol
    std::int64_t number_of(std::string_view word) const {
        const bool may_be = !word.empty() && word.size() <= 2 && std::all_of(word.begin(), word.end(), is_letter);
        return may_be ? numbers_[index_of(word)] : -1;
    }

private:
    static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

    static std::size_t index_of(std::string_view word) {
        const auto letter = [](char c) { return static_cast<std::size_t>(c & 31); };  // a and A are 1
        return 32 * letter(word[0]) + (word.size() > 1 ? letter(word[1]) : 0);
    }

    std::array<std::int64_t, 32 * 32> numbers_{};
};

/// A number too large or too small for a double: strtod gives infinity or zero, as other readers do.
bool read_beyond_range(std::string_view word, double& value) {
    const std::string copy(word);
    char* end = nullptr;
    value = std::strtod(copy.c_str(), &end);
    return end == copy.c_str() + copy.size();  // false if the locale has another decimal point
}

bool read_real(const char*& place, const char* end, double& value) {
    while (place != end && is_blank(*place)) ++place;
    const bool has_sign = place != end && (*place == '+' || *place == '-');
    const char* digits = has_sign ? place + 1 : place;
    if (digits == end || !(is_digit(*digits) || *digits == '.')) return false;  // words: infinity, nan
    const char* first = *place == '+' ? digits : place;
    const auto [last, error] = std::from_chars(first, end, value);
    if (error == std::errc::invalid_argument || (last != end && is_word_character(*last))) return false;
    place = last;
    return error == std::errc() || read_beyond_range({first, static_cast<std::size_t>(last - first)}, value);
}

/// Lines that one thread reads, and the row of the first of them.
struct Lines {
    std::string_view text;
    Index first_row;
};

class Reader {
public:
    Reader(const std::vector<Column>& columns, std::int64_t* numbers, MatrixView reals)
        : columns_(columns),
          n_symbols_(std::count(columns.begin(), columns.end(), Column::symbol)),
          numbers_(numbers),
          reals_(reals) {}

    bool read(const Lines& lines) const {
        const char* place = lines.text.data();
        const char* end = place + lines.text.size();
        for (Index row = lines.first_row; place != end; ++row) {
            if (!read_line(place, end, row)) return false;
            if (place != end) ++place;
        }
        return true;
    }

private:
    bool read_line(const char*& place, const char* end, Index row) const {
        static const Symbols symbols;
        std::int64_t* number = numbers_ + row * n_symbols_;
        double* real = reals_.row(row);
        for (const Column column : columns_) {
            bool is_known = true;
            if (column == Column::real) {
                is_known = read_real(place, end, *real++);
            } else if (column == Column::symbol) {
                *number = symbols.number_of(next_word(place, end));
                is_known = *number++ >= 0;
            } else {
                is_known = !next_word(place, end).empty();
            }
            if (!is_known) return false;
        }
        return next_word(place, end).empty() && (place == end || *place == '\n');
    }

    const std::vector<Column>& columns_;
    Index n_symbols_;
    std::int64_t* numbers_;
    MatrixView reals_;
};

/// The text, cut at ends of lines; the caller fills in first_row.
std::vector<Lines> cut_into_pieces(std::string_view text) {
    std::vector<Lines> pieces;
    while (!text.empty()) {
        const std::size_t newline = text.find('\n', static_cast<std::size_t>(large_text));
        const std::size_t length = newline == std::string_view::npos ? text.size() : newline + 1;
        pieces.push_back({text.substr(0, length), 0});
        text.remove_prefix(length);
    }
    return pieces;
}

Index count_lines(std::string_view text) {
    const Index newlines = std::count(text.begin(), text.end(), '\n');
    return newlines + (text.empty() || text.back() == '\n' ? 0 : 1);
}

}  // namespace

bool read_atom_lines(
    std::string_view text, const std::vector<Column>& columns, std::int64_t* numbers, MatrixView reals, int n_threads
) {
    const Index n_reals = std::count(columns.begin(), columns.end(), Column::real);
    if (reals.cols != n_reals) {
        throw InvalidInput(
            "reals has " + std::to_string(reals.cols) + " columns; it must have " + std::to_string(n_reals) +
            ", one for each real number in a line."
        );
    }
    std::vector<Lines> pieces = cut_into_pieces(text);
    const auto n_pieces = static_cast<Index>(pieces.size());
    std::vector<Index> counts(pieces.size());
    parallel_for_each(n_pieces, n_threads, [&](Index i) {
        counts[static_cast<std::size_t>(i)] = count_lines(pieces[static_cast<std::size_t>(i)].text);
    });
    Index n_rows = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        pieces[i].first_row = n_rows;
        n_rows += counts[i];
    }
    if (n_rows != reals.rows) return false;
    const Reader reader(columns, numbers, reals);
    std::atomic<bool> all_read{true};
    parallel_for_each(n_pieces, n_threads, [&](Index i) {
        if (all_read.load(std::memory_order_relaxed) && !reader.read(pieces[static_cast<std::size_t>(i)])) {
            all_read.store(false, std::memory_order_relaxed);
        }
    });
    return all_read.load();
}

}  // namespace lpr_fast
