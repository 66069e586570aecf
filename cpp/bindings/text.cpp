#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "atom_lines.hpp"
#include "lpr_fast/error.hpp"
#include "register.hpp"
#include "without_interpreter.hpp"

namespace py = pybind11;

namespace lpr_fast::python {
namespace {

using Numbers = py::array_t<std::int64_t>;
using Reals = py::array_t<double>;

std::vector<Column> columns_named(const std::string& letters) {
    std::vector<Column> columns;
    for (const char letter : letters) {
        columns.push_back(letter == 'S' ? Column::symbol : letter == 'R' ? Column::real : Column::other);
    }
    return columns;
}

std::optional<std::pair<Numbers, Reals>> atom_lines(
    const py::bytes& text, Index start, Index n_rows, const std::string& columns, int n_threads
) {
    const std::string_view whole = text;
    if (start < 0 || static_cast<std::size_t>(start) > whole.size() || n_rows < 0) {
        throw InvalidInput(
            "start is " + std::to_string(start) + " and n_rows is " + std::to_string(n_rows) +
            "; start must lie within the text, and n_rows must not be negative."
        );
    }
    const std::string_view lines = whole.substr(static_cast<std::size_t>(start));
    const std::vector<Column> kinds = columns_named(columns);
    const Index n_reals = std::count(kinds.begin(), kinds.end(), Column::real);
    Numbers numbers({n_rows, static_cast<Index>(std::count(kinds.begin(), kinds.end(), Column::symbol))});
    Reals reals({n_rows, n_reals});
    const MatrixView target(reals.mutable_data(), n_rows, n_reals);
    std::int64_t* first_number = numbers.mutable_data();
    // Reading a small text takes less time than getting the interpreter lock back.
    std::optional<WithoutInterpreter> no_interpreter;
    if (static_cast<Index>(lines.size()) > large_text) no_interpreter.emplace();
    const bool is_read = read_atom_lines(lines, kinds, first_number, target, n_threads);
    no_interpreter.reset();
    if (!is_read) return std::nullopt;
    return std::pair(std::move(numbers), std::move(reals));
}

}  // namespace

void register_text(py::module_& module) {
    module.def(
        "read_atom_lines", &atom_lines, py::arg("text"), py::arg("start"), py::arg("n_rows"), py::arg("columns"),
        py::arg("n_threads")
    );
}

}  // namespace lpr_fast::python
