#pragma once

// Model files of tests/data taken apart, changed, and put together again.

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "check.hpp"
#include "forged_files.hpp"
#include "model/json_text.hpp"
#include "model_files.hpp"

namespace lpr_fast::testing {

using OrderedJson = nlohmann::ordered_json;  // the order of arrays counts

struct Parts {
    OrderedJson header;
    OrderedJson facts;
    std::string arrays;

    explicit Parts(const std::string& name) {
        const std::string content = read_bytes(data_file(name + ".lpr"));
        const std::size_t end = 8 + end_of_object(content.substr(8));
        header = OrderedJson::parse(content.substr(8, end - 8));
        facts = OrderedJson::parse(header["__metadata__"]["model"].get<std::string>());
        const std::size_t aligned = 8 + static_cast<std::size_t>(static_cast<unsigned char>(content[0])) +
                                    256 * static_cast<std::size_t>(static_cast<unsigned char>(content[1]));
        arrays = content.substr(aligned);
    }
};

inline void check_one_sentence(const std::string& message) {
    CHECK(message.rfind("bad.lpr ", 0) == 0);
    CHECK(message.find('\n') == std::string::npos && message.back() == '.');
    CHECK(message.size() < 400);
}

inline std::string refusal(const std::string& content) {
    const std::string message = message_of<InvalidInput>([&] { model_of(content); });
    check_one_sentence(message);
    return message;
}

inline void check_refused(const std::string& content, const std::string& expected) {
    const std::string message = refusal(content);
    report(contains(message, expected), __FILE__, __LINE__, "expected \"" + expected + "\", got: " + message);
}

using Change = std::function<void(Parts&)>;

struct Forgery {
    Change change;
    std::string expected;
};

inline Change entry(const std::string& name, const std::string& key, const OrderedJson& value) {
    return [=](Parts& parts) { parts.header[name][key] = value; };
}

inline Change metadata(const std::string& key, const OrderedJson& value) {
    return [=](Parts& parts) { parts.header["__metadata__"][key] = value; };
}

inline Change fact(const std::string& pointer, const OrderedJson& value) {
    return [=](Parts& parts) {
        parts.facts[OrderedJson::json_pointer(pointer)] = value;
        parts.header["__metadata__"]["model"] = parts.facts.dump();
    };
}

/// Two arrays with exchanged names, or one with an unknown name.
inline Change renamed(const std::string& name, const std::string& other) {
    return [=](Parts& parts) {
        OrderedJson header;
        for (const auto& [key, value] : parts.header.items()) {
            header[key == name ? other : key == other ? name : key] = value;
        }
        parts.header = header;
    };
}

/// The number at some place of an array.
template <typename Number>
Change number(const std::string& name, std::size_t place, Number value) {
    static_assert(sizeof(Number) == 8, "arrays have numbers of eight bytes");
    return [=](Parts& parts) {
        const auto start = parts.header[name]["data_offsets"][0].get<std::size_t>();
        std::memcpy(&parts.arrays[start + 8 * place], &value, sizeof(value));
    };
}

inline void check_refused(const Parts& parts, const std::vector<Forgery>& forgeries) {
    for (const Forgery& forgery : forgeries) {
        Parts forged_parts = parts;
        forgery.change(forged_parts);
        check_refused(forged(forged_parts.header.dump(), forged_parts.arrays), forgery.expected);
    }
}

}  // namespace lpr_fast::testing
