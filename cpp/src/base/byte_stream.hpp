#pragma once

#include <cstdint>
#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Appends 64-bit integers and float64 numbers in the byte order of the machine.
class ByteWriter {
public:
    void integer(Index value);
    void numbers(const double* values, Index count);
    /// All bytes, followed by the checksum that ByteReader::checked compares.
    std::vector<std::uint8_t> take_with_checksum();

private:
    void append(const void* source, std::size_t n_bytes);

    std::vector<std::uint8_t> bytes_;
};

/// Reads what a ByteWriter wrote. Anything else throws InvalidInput and is never read out of bounds.
class ByteReader {
public:
    /// A reader of everything before the checksum; throws if the checksum is wrong.
    static ByteReader checked(const std::uint8_t* bytes, std::size_t n_bytes);

    /// Throws InvalidInput.
    [[noreturn]] static void refuse();

    /// An integer within [lowest, highest].
    Index integer(Index lowest, Index highest);
    /// Finite numbers.
    void numbers(double* values, Index count);
    /// Throws unless at least this many numbers are left: call it before allocating memory for them.
    void expect_numbers(Index count) const;
    /// Throws unless everything was read.
    void expect_end() const;

private:
    ByteReader(const std::uint8_t* bytes, std::size_t n_bytes) : next_(bytes), left_(n_bytes) {}

    void extract(void* target, std::size_t n_bytes);

    const std::uint8_t* next_;
    std::size_t left_;
};

}  // namespace lpr_fast
