#include "model/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

class Descriptor {
public:
    // O_NONBLOCK: opening a pipe without a writer would wait forever.
    explicit Descriptor(const std::string& path) : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number >= 0) ::close(number);
    }

    const int number;
};

[[noreturn]] void refuse(const std::string& path) {
    const std::string reason = std::generic_category().message(errno);
    throw InvalidInput(path + " cannot be read (" + reason + "); check its name and permissions.");
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
    const Descriptor file(path);
    struct stat status{};
    if (file.number < 0 || ::fstat(file.number, &status) != 0) refuse(path);
    if (!S_ISREG(status.st_mode)) throw InvalidInput(path + " is not a regular file; give a model file.");
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;  // nothing to map
    void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.number, 0);
    if (mapped == MAP_FAILED) refuse(path);
    bytes_ = mapped;
}

MappedFile::~MappedFile() {
    if (bytes_ != nullptr) ::munmap(bytes_, size_);
}

}  // namespace lpr_fast
