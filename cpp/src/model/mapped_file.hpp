#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lpr_fast {

/// The content of a file, mapped read-only into memory while the object lives. The file must not be truncated in this
/// time: the system kills a process that reads beyond the new end.
class MappedFile {
public:
    /// @throws InvalidInput  if the path cannot be opened or is not a regular file
    explicit MappedFile(const std::string& path);
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    const std::uint8_t* bytes() const { return static_cast<const std::uint8_t*>(bytes_); }
    std::size_t size() const { return size_; }

private:
    void* bytes_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace lpr_fast
