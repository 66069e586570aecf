// Runs the cases of one file of tests: `test_parts soap` those of test_soap.cpp.

#include "check.hpp"

using namespace lpr_fast::testing;

int main(int argc, char** argv) {
    const auto found = argc == 2 ? all_tests().find(argv[1]) : all_tests().end();
    if (found == all_tests().end()) {
        std::printf("usage: %s NAME, with one of\n", argv[0]);
        for (const auto& [name, cases] : all_tests()) std::printf("  %s\n", name.c_str());
        return 2;
    }
    found->second();
    return failures == 0 ? 0 : 1;
}
