#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "check.hpp"
#include "forged_parts.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_model_file {
namespace {

void files_that_were_not_touched_are_read() {
    for (const std::string& name : all_names()) {
        const Parts parts(name);
        model_of(read_bytes(data_file(name + ".lpr")));
        // Numbers at addresses of any alignment.
        for (std::size_t n = 0; n < 8; ++n) model_of(forged(parts.header.dump() + std::string(n, ' '), parts.arrays));
    }
}

void files_of_version_1_give_the_same_models() {
    for (const std::string& name : old_model_names) {
        const Model old = model_of(read_bytes(data_file("v1/" + name + ".lpr")));
        const Model model = model_of(read_bytes(data_file(name + ".lpr")));
        const OrderedJson facts = OrderedJson::parse(old.parts().text);
        CHECK(facts.count("hypers") == 0 && facts.count("descriptor") == 1 && old.parts().version == 2);
        CHECK(old.info().hypers == model.info().hypers && old.info().species == model.info().species);
        CHECK(!old.info().has_radial_table);
        for (const auto& [array_name, array] : old.parts().arrays) {
            const ModelArray& other = model.parts().arrays.at(array_name);
            const auto n_bytes = static_cast<std::size_t>(8 * array.rows * array.cols);
            CHECK(array.rows == other.rows && array.cols == other.cols && array.n_extents == other.n_extents);
            CHECK(std::memcmp(array.bytes, other.bytes, n_bytes) == 0);
        }
    }
}

void parts_make_the_same_model_again() {
    for (const std::string& name : model_names) {
        const Model model = Model::load(data_file(name + ".lpr"));
        const Model again = Model::from_parts(model.parts());
        CHECK(again.parts().text == model.parts().text);
        CHECK(again.parts().arrays.size() == model.parts().arrays.size());
        CHECK(again.info().size == model.info().size && again.weights().size == model.weights().size);
    }
    CHECK_THROWS(
        InvalidInput, "the input does not hold the parts of a model (invalid JSON at byte", Model::from_parts({})
    );
}

void every_truncation_is_noticed() {
    for (const std::string& name : model_names) {
        const std::string content = read_bytes(data_file(name + ".lpr"));
        for (std::size_t percent = 0; percent < 100; ++percent)
            refusal(content.substr(0, content.size() * percent / 100));
        for (std::size_t length = 0; length < 100; ++length) refusal(content.substr(0, length));
        check_refused(content.substr(0, content.size() - 5), "is truncated (");
        check_refused(content.substr(0, 500), "is truncated within its header; copy or fit it again.");
        check_refused(content + "x", "is longer than it was written (");
    }
}

void check_changed_bit(std::string& content, std::size_t place, std::size_t bit) {
    const char before = content[place];
    content[place] = static_cast<char>(before ^ (1 << bit));
    refusal(content);
    content[place] = before;
}

void a_changed_bit_is_noticed_in_every_byte_of_the_header_and_in_every_number() {
    for (const std::string& name : model_names) {
        std::string content = read_bytes(data_file(name + ".lpr"));
        const std::size_t arrays = content.size() - Parts(name).arrays.size();
        for (std::size_t place = 0; place < arrays; ++place) check_changed_bit(content, place, place % 8);
        for (std::size_t n = 0; arrays + 8 * n < content.size(); ++n) {
            check_changed_bit(content, arrays + 8 * n + n % 8, n / 8 % 8);
        }
    }
}

void other_files_are_refused() {
    const std::string expected = "is not a model file of lpr_fast; give one that `save` or `lpr-fast fit` wrote.";
    check_refused("hello, this is a text and no model", expected);
    check_refused(with_length(std::string(200'000, '['), ""), expected);
    check_refused(with_length("{\"a\":" + std::string(200'000, '['), ""), expected);
    check_refused(with_length("\xff\xfe{}", ""), expected);
    check_refused(with_length("{}", ""), expected);
    check_refused(with_length("[]", ""), expected);
    check_refused(with_length("{\"__metadata__\":[]}", ""), expected);
    check_refused(std::string("\0\0\0\0\0\0\0\x40{}", 10), expected);
    check_refused(std::string(8, '\0'), expected);
    check_refused(std::string(8, '\xff') + "{}", expected);
}

void files_whose_parts_disagree_are_refused() {
    const std::string other = "is not a model file of lpr_fast";
    const std::string parts_missing = "does not hold the parts of a model (";
    const auto huge = OrderedJson::parse("1" + std::string(300, '0'));
    const Parts parts("two_species");
    const auto start_of = [&](const char* array) { return parts.header[array]["data_offsets"][0].get<std::size_t>(); };
    const std::size_t weights = start_of("weights");
    const std::vector<Forgery> forgeries{
        {metadata("format_version", "3"),
         "has format version 3, but this lpr_fast reads versions 1 and 2; install a newer"},
        {metadata("format_version", "\n"), "has format version (unreadable), but this"},
        {metadata("format", "pt"), other},
        {metadata("model", 3), other},
        {metadata("sha256", "ab"), other},
        {entry("active", "shape", {-1, 5}), other},
        {entry("active", "shape", {2.5, 18}), other},
        {entry("active", "shape", {huge, huge}), other},
        {entry("active", "shape", {1UL << 47, 1UL << 47}), other},
        {entry("active", "shape", {1UL << 63, 2}), other},
        {entry("active", "shape", {9, 5, 1}), other},
        {entry("active", "shape", {9, 6}), other},
        {entry("active", "dtype", "F8"), other},
        {entry("active", "dtype", 1), other},
        {entry("active", "data_offsets", "ab"), other},
        {entry("active", "data_offsets", {0.0, 360.0}), other},
        {entry("active", "data_offsets", {-8, 352}), other},
        {entry("active", "data_offsets", {360, 0}), other},
        {entry("active", "data_offsets", {0, 360, 720}), other},
        {entry("weights", "data_offsets", {0, 72}), other},
        {entry("weights", "data_offsets", {weights, std::numeric_limits<std::int64_t>::min()}), other},
        {entry("weights", "data_offsets", {weights, std::numeric_limits<std::uint64_t>::max()}), other},
        {[](Parts& parts) { parts.header.erase("weights"); }, other},
        {[](Parts& parts) { parts.header.erase("__metadata__"); }, other},
        {entry("active", "shape", {5, 9}), "the array 'active' has the wrong shape"},
        {entry("active", "dtype", "I64"), "the array 'active' has the wrong type"},
        {entry("weights", "shape", {1, 9}), "the array 'weights' has the wrong type"},
        {entry("hessian.columns", "dtype", "F64"), "the array 'hessian.columns' has the wrong type"},
        {entry("hessian.triangle", "shape", {1, 49}), parts_missing},
        {metadata("model", "[]"), parts_missing},
        {metadata("model", std::string(100'000, '[')), "JSON is nested too deeply"},
        {metadata("model", "{\"species\": NaN}"), "invalid JSON at byte 13"},
        {metadata("model", "{\"species\": 1e400}"), "JSON has a number beyond float64"},
        {metadata("model", ""), parts_missing},
        {fact("/kind", "forest"), "unknown kind 'forest'"},
        {fact("/kind", "linear"), parts_missing},
        {fact("/kind", "a\nb"), "unknown kind 'a?b'"},
        {fact("/kind", 1), "an entry is missing or of the wrong type"},
        {fact("/loss", std::string(1000, 'x')), "unknown loss 'xxx"},
        {fact("/method", "lu"), "unknown method 'lu'"},
        {fact("/species", {14, 31}), parts_missing},
        {fact("/species", {8, 14, 14}), "species are not ascending"},
        {fact("/species", {8, 14, 30}), "sizes of the parts disagree at the factor 'hessian.30'"},
        {fact("/species", {8, 14.5, 31}), "a species is not an integer"},
        {fact("/species", {-8, 14, 31}), "a species is not an integer"},
        {fact("/species", {8, 14, 1UL << 40}), "a species is not an integer"},
        {fact("/species", OrderedJson::array()), "there are no species"},
        {fact("/regularizer", -1.0), "the regularizer is not positive"},
        {fact("/regularizer", true), "the regularizer is not a number"},
        {fact("/zeta", 0), "zeta is not positive"},
        {fact("/zeta", nullptr), "zeta is not a number"},
        {fact("/n_features", 6), "the array 'active' has the wrong shape"},
        {fact("/n_features", 1UL << 63), "n_features is not an integer"},
        {fact("/n_active", {0, 5}), "n_active is not a list"},
        {fact("/n_active", {0, 4, 5}), "sizes of the parts disagree at the factor 'hessian.14'"},
        {fact("/n_active", {1, 5, 4}), "sizes of the parts disagree at the factor of the Hessian"},
        {fact("/n_active", {1 << 24, 1 << 24, 1 << 24}), "sizes of the parts disagree at the factor of the Hessian"},
        {fact("/n_active", {-1, 5, 5}), "a number of active environments is not an integer"},
        {fact("/baseline", {1.0}), "the baseline is not a list"},
        {fact("/baseline", {"a", 1, 2}), "a baseline is not a number"},
        {fact("/baseline", nullptr), "there are weights without a baseline"},
        {fact("/provenance", {1}), "the provenance is not a dictionary"},
        {fact("/descriptor", "text"), "the descriptor is neither a dictionary nor null"},
        {fact("/descriptor/kind", "ace"), "unknown kind of descriptor 'ace'"},
        {fact("/descriptor/kind", "array"), "an entry is missing or of the wrong type"},
        {fact("/descriptor/hypers", "text"), "hypers is not a dictionary"},
        {fact("/descriptor/cutoff", 0.0), "the cutoff of the descriptor is not positive"},
        {fact("/descriptor/error", -1), "the error of the radial table is negative"},
        {fact("/descriptor/angular", {0, 0}), "angular and n_radial are not ascending channels with one number each"},
        {fact("/descriptor/n_radial", {2}), "angular and n_radial are not ascending channels with one number each"},
        {fact("/descriptor/n_radial", {2, 3}), "the array 'descriptor.coefficients' has the wrong shape"},
        {fact("/descriptor/n_radial", {3, 1}), "the array 'descriptor.center' has the wrong shape"},
        {entry("descriptor.edges", "shape", {1, 3}), "the array 'descriptor.edges' has the wrong type"},
        {fact("/factors", OrderedJson::object()), "the factor of the Hessian is missing"},
        {fact("/factors", {1}), "factors is not a dictionary"},
        {fact("/factors/hessian/size", 8), parts_missing},
        {fact("/factors/hessian/size", 1 << 24), "sizes of the parts disagree at the factor of the Hessian"},
        {fact("/factors/hessian/size", -9), "the size of a factor is not an integer"},
        {fact("/factors/hessian/condition_number", nullptr), "a condition number is not a number"},
        {fact("/factors/hessian/error_estimate", "x"), "an error estimate is not a number"},
        {fact("/factors/prior.14/size", 6), "sizes of the parts disagree at the factor 'prior.14'"},
        {fact("/factors/more", {{"size", 1}, {"condition_number", 1}, {"error_estimate", nullptr}}),
         "there is no array 'more.triangle'"},
    };
    check_refused(parts, forgeries);
    std::string twice = parts.header.dump();
    twice.insert(twice.size() - 1, ",\"weights\":" + parts.header["weights"].dump());
    check_refused(forged(twice, parts.arrays), other);
    std::string nan = parts.arrays;
    nan.replace(weights, 8, "\xff\xff\xff\xff\xff\xff\xff\xff");
    check_refused(forged(parts.header.dump(), nan), "the array 'weights' holds NaN or infinity");
    std::string column = parts.arrays;
    column.replace(start_of("hessian.columns"), 8, "\xff\xff\xff\xff\xff\xff\xff\x7f");
    check_refused(forged(parts.header.dump(), column), "does not exist; columns must be in [0, 9)");
}

const Tests tests("model_file", [] {
    run("files that were not touched are read", files_that_were_not_touched_are_read);
    run("files of version 1 give the same models", files_of_version_1_give_the_same_models);
    run("parts make the same model again", parts_make_the_same_model_again);
    run("every truncation is noticed", every_truncation_is_noticed);
    run("a changed bit is noticed in every byte of the header and in every number",
        a_changed_bit_is_noticed_in_every_byte_of_the_header_and_in_every_number);
    run("other files are refused", other_files_are_refused);
    run("files whose parts disagree are refused", files_whose_parts_disagree_are_refused);
});

}  // namespace
}  // namespace test_model_file
