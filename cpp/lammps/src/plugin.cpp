// The library that LAMMPS loads. It checks that the version of LAMMPS is the one it was built for, and only then opens
// the library of the compute, which needs functions that other versions of LAMMPS may not have.

#include <dlfcn.h>
#include <library.h>
#include <lmptype.h>

#include <string>

#include "lammpsplugin.hpp"
#include "lpr_fast/version.hpp"

namespace {

// Volatile, so that the number is stored in the file, where a test replaces it.
volatile const int built_for = LPR_FAST_LAMMPS_VERSION;

/// Why this LAMMPS cannot use the plugin; empty if it can. Uses LAMMPS's C interface only, because the layout of its
/// classes depends on the version.
std::string mismatch(void* lammps) {
    const int running = lammps_version(lammps);
    if (running != built_for)
        return "The lpr_fast plugin was built for LAMMPS " + std::to_string(built_for) + ", but this is LAMMPS " +
               std::to_string(running) +
               ": compute lpr/atom is not available; install or build the plugin for this version.";
    if (lammps_extract_setting(lammps, "tagint") != static_cast<int>(sizeof(LAMMPS_NS::tagint)))
        return "The lpr_fast plugin was built for other integer sizes than this LAMMPS: compute lpr/atom is not "
               "available; build the plugin with -DLAMMPS_BIGBIG=ON or OFF, as LAMMPS was.";
    return "";
}

/// Path of the library of the compute, in the folder of this library.
std::string path_of_compute() {
    Dl_info here{};
    dladdr(reinterpret_cast<const void*>(&lammpsplugin_init), &here);
    const std::string file = here.dli_fname == nullptr ? "" : here.dli_fname;
    return file.substr(0, file.rfind('/') + 1) + "lprcompute.so";
}

/// The function that makes the compute. Null if the library cannot be opened; then dlerror() gives the reason.
lammpsplugin_factory2* open_factory() {
    void* const library = dlopen(path_of_compute().c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return nullptr;
    return reinterpret_cast<lammpsplugin_factory2*>(dlsym(library, "lpr_fast_create_compute"));
}

void warn(void* lammps, const std::string& reason) {
    lammps_error(lammps, LMP_ERROR_WARNING, reason.c_str());  // not an error: runs without the compute must not fail
}

}  // namespace

void lammpsplugin_init(void* lammps, void* handle, void* register_function) {
    const std::string reason = mismatch(lammps);
    if (!reason.empty()) return warn(lammps, reason);
    lammpsplugin_factory2* const factory = open_factory();
    if (factory == nullptr)
        return warn(
            lammps, "compute lpr/atom is not available: " + std::string(dlerror()) + "; install the plugin again."
        );
    lammpsplugin_t plugin{};
    plugin.version = LPR_FAST_LAMMPS_VERSION_TEXT;
    plugin.style = "compute";
    plugin.name = "lpr/atom";
    plugin.info = "compute lpr/atom of lpr_fast " LPR_FAST_VERSION;
    plugin.author = "the authors of lpr_fast";
    plugin.creator.v2 = factory;
    plugin.handle = handle;
    reinterpret_cast<lammpsplugin_regfunc>(register_function)(&plugin, lammps);
}
