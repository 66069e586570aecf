#pragma once

// A small test framework: named cases, checks that print place and values, an exit code.

#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <string>

namespace lpr_fast::testing {

inline int failures = 0;

inline void report(bool passed, const char* file, int line, const std::string& what) {
    if (passed) return;
    ++failures;
    std::printf("%s:%d: %s\n", file, line, what.c_str());
}

inline void run(const char* name, const std::function<void()>& body) {
    try {
        body();
    } catch (const std::exception& error) {
        report(false, name, 0, std::string("unexpected exception: ") + error.what());
    }
    std::printf("%s\n", name);
}

using Cases = void (*)();

/// The cases of each file of the program, by the name of the file.
inline std::map<std::string, Cases>& all_tests() {
    static std::map<std::string, Cases> tests;
    return tests;
}

/// Adds the cases of a file to the program.
struct Tests {
    Tests(const char* name, Cases cases) { all_tests().emplace(name, cases); }
};

template <typename Exception, typename Body>
std::string message_of(const Body& body) {
    try {
        body();
    } catch (const Exception& error) {
        return error.what();
    }
    return "";
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace lpr_fast::testing

#define CHECK(condition) lpr_fast::testing::report((condition), __FILE__, __LINE__, "failed: " #condition)

/// The exception must be of this type, and its message must contain the text.
#define CHECK_THROWS(Exception, text, expression)                                                                \
    do {                                                                                                         \
        const std::string message = lpr_fast::testing::message_of<Exception>([&] { (void)(expression); });       \
        lpr_fast::testing::report(                                                                               \
            !message.empty() && lpr_fast::testing::contains(message, text), __FILE__, __LINE__,                  \
            std::string("expected " #Exception " with \"") + (text) + "\" from " #expression ", got: " + message \
        );                                                                                                       \
    } while (false)

/// Checks |a - b| <= tolerance * |b|; prints both if it is false.
#define CHECK_CLOSE(a, b, tolerance)                                                                                \
    do {                                                                                                            \
        const double left = static_cast<double>(a);                                                                 \
        const double right = static_cast<double>(b);                                                                \
        const double difference = left > right ? left - right : right - left;                                       \
        const double allowed = (tolerance) * (right < 0 ? -right : right);                                          \
        lpr_fast::testing::report(                                                                                  \
            difference <= allowed, __FILE__, __LINE__,                                                              \
            #a " = " + std::to_string(left) + " but " #b " = " + std::to_string(right) + ", relative difference " + \
                std::to_string(difference / (right == 0 ? 1 : right))                                               \
        );                                                                                                          \
    } while (false)
