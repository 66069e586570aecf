#pragma once

// Model files with any content and correct length and hash, so that the checks behind these are reached.

#include <cstdint>
#include <string>

#include "lpr_fast/model.hpp"
#include "model/sha256.hpp"

namespace lpr_fast::testing {

inline const std::uint8_t* bytes_of(const std::string& content) {
    return reinterpret_cast<const std::uint8_t*>(content.data());
}

inline Model model_of(const std::string& content) {
    return Model::from_bytes(bytes_of(content), content.size(), "bad.lpr");
}

inline std::string sha256(const std::string& content) {
    Sha256 hash;
    hash.update(bytes_of(content), content.size());
    return hash.hex_digest();
}

/// The content with a correct hash in place of its hash.
inline std::string with_hash(std::string content) {
    const std::string key = "\"sha256\":\"";
    const std::size_t place = content.find(key);
    if (place == std::string::npos || place + key.size() + 64 > content.size()) return content;
    content.replace(place + key.size(), 64, std::string(64, '0'));
    const std::string digest = sha256(content);
    return content.replace(place + key.size(), 64, digest);
}

inline std::string with_length(const std::string& header, const std::string& arrays) {
    std::string content;
    for (int shift = 0; shift < 64; shift += 8) {
        content += static_cast<char>(static_cast<std::uint64_t>(header.size()) >> shift & 0xffU);
    }
    return content + header + arrays;
}

inline std::string forged(const std::string& header, const std::string& arrays) {
    return with_hash(with_length(header, arrays));
}

/// Where the outermost object of a JSON text ends.
inline std::size_t end_of_object(const std::string& text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string && c == '\\') ++i;
        if (c == '"') in_string = !in_string;
        if (in_string) continue;
        if (c == '{') ++depth;
        if (c == '}' && --depth == 0) return i + 1;
    }
    return text.size();
}

}  // namespace lpr_fast::testing
