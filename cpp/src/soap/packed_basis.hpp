#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "hot/soap_gradient.hpp"
#include "lpr_fast/soap.hpp"

namespace lpr_fast {

/// The innermost loops of SOAP, for the instruction set of hot_kernels().
const HotSoap& hot_soap();
const HotSoapGradient& hot_soap_gradient();

/// A radial table and the other constants of a basis, packed for the vectors of the hot loops.
class PackedBasis {
public:
    /// @throws InvalidInput  for a table whose arrays do not agree
    explicit PackedBasis(const RadialTable& table);
    PackedBasis(const PackedBasis&) = delete;
    PackedBasis& operator=(const PackedBasis&) = delete;

    /// Pointers for the hot loops; they live as long as this object.
    const SoapBasis& basis() const { return basis_; }
    double cutoff() const { return cutoff_; }

    /// Number of numbers in the expansion of the density of one species.
    Index expansion_size() const { return basis_.n_rows * hot_soap().width; }
    /// Size of the scratch memory of an expansion.
    Index scratch_size() const;

    /// Number of intermediate results that gradients need of the neighbours of one species, and the size of the scratch
    /// memory of gradients.
    Index kept_size(Index n_neighbours) const;
    Index gradient_scratch_size() const;

    /// Whether radial functions jump to zero at the cutoff.
    bool has_step() const { return has_step_; }
    /// Whether a center does not contribute to its own density.
    bool has_no_center() const;

    /// Adds the contribution of the center to the expansion of its own species.
    void add_center(double* expansion) const;

    /// Numbers of features of a pair of neighbour species: equal species (folded), and different species.
    Index n_folded() const { return n_folded_; }
    Index n_plain() const { return n_plain_; }

private:
    void pack_degrees(const RadialTable& table);
    void pack_cells();
    void pack_coefficients(const RadialTable& table);
    void pack_harmonics();
    void pack_way_back();

    SoapBasis basis_{};
    std::vector<SoapBlock> blocks_;
    std::vector<SoapDegree> degrees_;
    std::vector<double> edges_, middles_, inverse_halves_, center_;
    std::vector<double> harmonics_, norms_, downwards_;
    std::vector<std::int32_t> first_cell_;
    AlignedBuffer coefficients_;
    double cutoff_ = 0.0;
    Index n_folded_ = 0;
    Index n_plain_ = 0;
    bool has_step_ = false;
};

}  // namespace lpr_fast
