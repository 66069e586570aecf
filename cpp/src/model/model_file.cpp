#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "lpr_fast/error.hpp"
#include "lpr_fast/model_parts.hpp"
#include "model/json_text.hpp"
#include "model/sha256.hpp"

namespace lpr_fast {
namespace {

constexpr std::string_view format = "lpr_fast model";
constexpr std::string_view versions[] = {"1", "2"};
constexpr std::size_t length_bytes = 8;
constexpr std::size_t digest_digits = 64;
constexpr std::uint64_t largest_header = 100'000'000;
constexpr Index largest_extent = Index{1} << 48;
constexpr Index largest_file = Index{1} << 60;

struct Content {
    const std::uint8_t* bytes;
    std::size_t size;
    const std::string& name;

    [[noreturn]] void refuse(const std::string& what) const { throw InvalidInput(name + " " + what); }
};

struct Entry {
    std::string name;
    ModelArray array;  ///< without its address
    Index first;
    Index last;
};

/// Content of the header, checked except for the hash.
struct Header {
    std::vector<Entry> entries;
    std::string version;
    std::string digest;
    std::string text;
    std::size_t end;  ///< position at which the arrays begin
};

std::uint64_t header_length(const Content& content) {
    std::uint64_t length = 0;
    for (std::size_t i = std::min(content.size, length_bytes); i > 0; --i) length = length << 8 | content.bytes[i - 1];
    return length;
}

std::optional<NumberType> number_type(const Json& entry) {
    const std::string& name = entry.at("dtype").get_ref<const std::string&>();
    if (name == "F64") return NumberType::f64;
    if (name == "I64") return NumberType::i64;
    if (name == "U8") return NumberType::u8;
    return std::nullopt;
}

/// An integer within [0, bound].
std::optional<Index> size_within(const Json& value, Index bound) {
    // The parser stores non-negative integers as unsigned.
    if (!value.is_number_unsigned()) return std::nullopt;
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(bound)) return std::nullopt;
    return static_cast<Index>(number);
}

/// The array of an entry; nothing unless it begins at `place`, the end of the one before, and is as long as its shape
/// says.
std::optional<Entry> read_entry(const std::string& name, const Json& json, Index place) {
    const Json& shape = json.at("shape");
    const Json& offsets = json.at("data_offsets");
    const auto type = number_type(json);
    if (!type || !shape.is_array() || shape.size() > 2 || !offsets.is_array() || offsets.size() != 2) return {};
    Index extents[2] = {1, 1};
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const auto extent = size_within(shape[i], largest_extent - 1);
        if (!extent) return {};
        extents[2 - shape.size() + i] = *extent;
    }
    const auto first = size_within(offsets[0], largest_file);
    const auto last = size_within(offsets[1], largest_file);
    if (!first || !last || *first != place || *last < *first) return {};
    const auto [rows, cols] = extents;
    const Index number_bytes = *type == NumberType::u8 ? 1 : 8;
    // Larger products would overflow.
    if (rows > 0 && cols > largest_file / number_bytes / rows) return {};
    if (*last - *first != rows * cols * number_bytes) return {};
    return Entry{name, {*type, rows, cols, static_cast<int>(shape.size()), nullptr}, *first, *last};
}

bool is_digest(const std::string& text) {
    return text.size() == digest_digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// @returns nothing, or throws InvalidInput or Json::exception, if this is not the header of a model file
std::optional<Header> parse_header(const char* first, const char* last) {
    std::vector<std::string> keys;
    const Json json = parse_json(first, last, &keys);
    if (!json.is_object() || keys.size() != json.size()) return {};
    const Json& metadata = json.at("__metadata__");
    const auto text_of = [&](const char* key) { return metadata.at(key).get_ref<const std::string&>(); };
    Header header{{}, text_of("format_version"), text_of("sha256"), text_of("model"), 0};
    if (text_of("format") != format || !is_digest(header.digest)) return {};
    for (const std::string& key : keys) {
        if (key == "__metadata__") continue;
        auto entry = read_entry(key, json.at(key), header.entries.empty() ? 0 : header.entries.back().last);
        if (!entry) return {};
        header.entries.push_back(*std::move(entry));
    }
    return header;
}

Header read_header(const Content& content) {
    const std::uint64_t length = header_length(content);
    const bool looks_right = content.size > length_bytes && content.bytes[length_bytes] == '{';
    const std::size_t rest = content.size - std::min(content.size, length_bytes);
    if (looks_right && length < largest_header && rest < length) {
        content.refuse("is truncated within its header; copy or fit it again.");
    }
    try {
        if (0 < length && length < largest_header && length <= rest) {
            const char* first = reinterpret_cast<const char*>(content.bytes) + length_bytes;
            if (auto header = parse_header(first, first + length)) {
                header->end = length_bytes + static_cast<std::size_t>(length);
                return *std::move(header);
            }
        }
    } catch (const InvalidInput&) {  // refused below
    } catch (const Json::exception&) {
    }
    content.refuse("is not a model file of lpr_fast; give one that `save` or `lpr-fast fit` wrote.");
}

/// The hash of the whole content, with zeros in place of the stored hash.
std::string digest_of(const Content& content, const Header& header) {
    const std::uint8_t* end = content.bytes + header.end;
    const std::uint8_t* place = std::search(content.bytes, end, header.digest.begin(), header.digest.end());
    if (place == end) return "";
    const std::vector<std::uint8_t> zeros(digest_digits, '0');
    Sha256 hash;
    hash.update(content.bytes, static_cast<std::size_t>(place - content.bytes));
    hash.update(zeros.data(), zeros.size());
    place += digest_digits;
    hash.update(place, static_cast<std::size_t>(content.bytes + content.size - place));
    return hash.hex_digest();
}

bool is_padding(const std::string& name) {
    return name.rfind("_padding.", 0) == 0;
}

int read_version(const Content& content, const std::string& version) {
    const auto* const place = std::find(std::begin(versions), std::end(versions), version);
    if (place != std::end(versions)) return static_cast<int>(place - std::begin(versions)) + 1;
    const bool is_short = version.size() <= 20 && version.find_first_not_of("0123456789.") == std::string::npos;
    content.refuse(
        "has format version " + (is_short ? version : "(unreadable)") +
        ", but this lpr_fast reads versions 1 and 2; install a newer lpr_fast."
    );
}

void check_content(const Content& content, const Header& header) {
    const std::size_t present = content.size - header.end;
    const auto expected = header.entries.empty() ? 0 : static_cast<std::size_t>(header.entries.back().last);
    if (present != expected) {
        content.refuse(
            std::string("is ") + (present < expected ? "truncated" : "longer than it was written") + " (" +
            std::to_string(present) + " bytes of arrays, expected " + std::to_string(expected) +
            "); copy or fit it again."
        );
    }
    if (digest_of(content, header) != header.digest) {
        content.refuse("was changed or damaged after it was written; copy or fit it again.");
    }
}

}  // namespace

ModelParts read_model_parts(const std::uint8_t* bytes, std::size_t n_bytes, const std::string& name) {
    const Content content{bytes, n_bytes, name};
    Header header = read_header(content);
    ModelParts parts{{}, std::move(header.text), read_version(content, header.version)};
    check_content(content, header);
    for (Entry& entry : header.entries) {
        if (is_padding(entry.name)) continue;
        entry.array.bytes = bytes + header.end + entry.first;
        parts.arrays.emplace(std::move(entry.name), entry.array);
    }
    return parts;
}

}  // namespace lpr_fast
