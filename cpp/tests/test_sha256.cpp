#include "check.hpp"
#include "forged_files.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_sha256 {
namespace {

void hashes_are_those_of_the_standard() {
    CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(
        sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    );
    CHECK(
        sha256(
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstno"
            "p"
            "qrstu"
        ) == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    );
    const std::string million(1'000'000, 'a');
    const std::string expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    CHECK(sha256(million) == expected);
    Sha256 in_pieces;
    for (std::size_t first = 0; first < million.size(); first += 37) {
        in_pieces.update(bytes_of(million) + first, std::min<std::size_t>(37, million.size() - first));
    }
    CHECK(in_pieces.hex_digest() == expected);
}

const Tests tests("sha256", [] { run("hashes are those of the standard", hashes_are_those_of_the_standard); });

}  // namespace
}  // namespace test_sha256
