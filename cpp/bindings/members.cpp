#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <vector>

#include "arrays.hpp"
#include "exclusive.hpp"
#include "register.hpp"
#include "rigidity/side_by_side.hpp"

namespace py = pybind11;

namespace lpr_fast::python {
namespace {

using Members = Exclusive<std::vector<HessianAccumulator>>;

std::unique_ptr<Members> members(Index count, Index size) {
    return std::make_unique<Members>(
        std::vector<HessianAccumulator>(static_cast<std::size_t>(count), HessianAccumulator(size, Method::qr, true))
    );
}

void add_rows(Members& self, const py::array& rows, const py::array& targets, const py::array& weights, int n_threads) {
    const ConstMatrixView row_view = matrix_view(rows, "rows");
    const ConstMatrixView target_view = matrix_view(targets, "targets");
    const ConstMatrixView weight_view = matrix_view(weights, "weights");
    self.exclusively([&](std::vector<HessianAccumulator>& held) {
        add_to_each(held, row_view, target_view, weight_view, n_threads);
    });
}

py::array_t<double> fit_members(
    Members& self, double regularizer, const std::optional<py::array>& prior, int n_threads
) {
    std::optional<ConstMatrixView> prior_view;
    if (prior) prior_view = matrix_view(*prior, "prior");
    const std::vector<std::vector<double>> found = self.exclusively([&](std::vector<HessianAccumulator>& held) {
        return fit_each(held, regularizer, prior_view, n_threads);
    });
    const auto size = found.empty() ? std::size_t{0} : found.front().size();
    py::array_t<double> weights({found.size(), size});
    for (std::size_t member = 0; member < found.size(); ++member) {
        std::copy(found[member].begin(), found[member].end(), weights.mutable_data(static_cast<Index>(member), 0));
    }
    return weights;
}

std::vector<Index> n_rows(Members& self) {
    return self.exclusively([](std::vector<HessianAccumulator>& held) {
        std::vector<Index> counts;
        for (const HessianAccumulator& member : held) counts.push_back(member.n_rows());
        return counts;
    });
}

}  // namespace

void register_members(py::module_& module) {
    py::class_<Members>(module, "Members")
        .def(py::init(&members), py::arg("count"), py::arg("size"))
        .def("add", &add_rows, py::arg("rows"), py::arg("targets"), py::arg("weights"), py::arg("n_threads"))
        .def("fit", &fit_members, py::arg("regularizer"), py::arg("prior"), py::arg("n_threads"))
        .def_property_readonly("n_rows", &n_rows);
}

}  // namespace lpr_fast::python
