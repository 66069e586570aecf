#pragma once

#include <featomic.hpp>
#include <string>
#include <vector>

#include "cluster.hpp"

namespace lpr_fast {

/// featomic's SOAP power spectrum of a fixed list of species, folded: where both neighbour species are equal, of the
/// equal features (l, n1, n2) and (l, n2, n1) the first is kept, times sqrt(2). python/lpr_fast/descriptors/_soap.py
/// has the same layout.
class FoldedSpectrum {
public:
    /// @param hypers   of featomic's calculator, as JSON
    /// @param species  atomic numbers, ascending
    FoldedSpectrum(const std::string& hypers, const std::vector<int>& species);

    double cutoff() const { return cutoff_; }
    Index n_features() const { return n_features_; }

    /// Features of all centers of the clusters, one after another. One call of featomic, which works on the clusters in
    /// parallel.
    /// @param out  (number of centers, D)
    void compute(std::vector<Cluster>& clusters, std::size_t n_clusters, MatrixView out);

private:
    struct Kept {
        std::size_t column;
        double factor;
    };

    void read_columns(int species);
    metatensor::Labels centers_of(const std::vector<Cluster>& clusters, std::size_t n_clusters);
    void copy_block(metatensor::TensorBlock block, Index column, const std::vector<Kept>& kept, MatrixView out) const;
    Index column_of(int a, int b) const;

    featomic::Calculator calculator_;
    std::vector<int> species_;
    metatensor::Labels keys_;
    double cutoff_ = 0.0;
    Index n_features_ = 0;
    std::vector<Kept> folded_;  // for equal neighbour species
    std::vector<Kept> all_;     // for different ones
    std::vector<featomic_system_t> systems_;
    std::vector<int32_t> samples_;
    std::vector<Index> first_row_;  // of each cluster
};

}  // namespace lpr_fast
