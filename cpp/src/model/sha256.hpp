#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace lpr_fast {

/// SHA-256 (FIPS 180-4) of bytes that are given piece by piece.
class Sha256 {
public:
    void update(const std::uint8_t* bytes, std::size_t n_bytes);

    /// The hash of all bytes given, as 64 hexadecimal digits. The object cannot be used afterwards.
    std::string hex_digest();

private:
    static constexpr std::size_t block_bytes = 64;

    void compress(const std::uint8_t* block);

    std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::uint8_t, block_bytes> pending_{};
    std::size_t n_pending_ = 0;
    std::uint64_t n_bytes_ = 0;
};

}  // namespace lpr_fast
