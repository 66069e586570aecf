#include "base/byte_stream.hpp"

#include <cmath>
#include <cstring>

#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

/// FNV-1a: detects accidental changes, not deliberate ones.
std::uint64_t checksum(const std::uint8_t* bytes, std::size_t n_bytes) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (std::size_t i = 0; i < n_bytes; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3U;
    return hash;
}

}  // namespace

void ByteWriter::append(const void* source, std::size_t n_bytes) {
    const auto* first = static_cast<const std::uint8_t*>(source);
    bytes_.insert(bytes_.end(), first, first + n_bytes);
}

void ByteWriter::integer(Index value) {
    const auto wide = static_cast<std::int64_t>(value);
    append(&wide, sizeof(wide));
}

void ByteWriter::numbers(const double* values, Index count) {
    append(values, static_cast<std::size_t>(count) * sizeof(double));
}

void ByteReader::extract(void* target, std::size_t n_bytes) {
    if (n_bytes > left_) refuse();
    if (n_bytes > 0) std::memcpy(target, next_, n_bytes);
    next_ += n_bytes;
    left_ -= n_bytes;
}

std::vector<std::uint8_t> ByteWriter::take_with_checksum() {
    const std::uint64_t hash = checksum(bytes_.data(), bytes_.size());
    append(&hash, sizeof(hash));
    return std::move(bytes_);
}

ByteReader ByteReader::checked(const std::uint8_t* bytes, std::size_t n_bytes) {
    std::uint64_t hash = 0;
    if (n_bytes < sizeof(hash)) refuse();
    const std::size_t n_content = n_bytes - sizeof(hash);
    std::memcpy(&hash, bytes + n_content, sizeof(hash));
    if (hash != checksum(bytes, n_content)) refuse();
    return {bytes, n_content};
}

void ByteReader::refuse() {
    throw InvalidInput(
        "these bytes are not an accumulator state: they are truncated, changed, or of another version; give the bytes "
        "that to_bytes() returned, unchanged."
    );
}

Index ByteReader::integer(Index lowest, Index highest) {
    std::int64_t value = 0;
    extract(&value, sizeof(value));
    if (value < lowest || value > highest) refuse();
    return static_cast<Index>(value);
}

void ByteReader::expect_numbers(Index count) const {
    if (static_cast<std::size_t>(count) > left_ / sizeof(double)) refuse();
}

void ByteReader::numbers(double* values, Index count) {
    expect_numbers(count);
    extract(values, static_cast<std::size_t>(count) * sizeof(double));
    for (Index i = 0; i < count; ++i) {
        if (!std::isfinite(values[i])) refuse();
    }
}

void ByteReader::expect_end() const {
    if (left_ != 0) refuse();
}

}  // namespace lpr_fast
