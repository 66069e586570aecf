#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lpr_fast {

/// A file's content in memory, read-only, for as long as the object lives. The file must not be shortened meanwhile:
/// the system ends processes that look at what is no longer there.
class MappedFile {
public:
    /// @throws InvalidInput  for files that cannot be opened, and for what is no regular file
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
