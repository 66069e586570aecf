// What LAMMPS calls when it loads the plugin.

#include <library.h>

#include <string>

#include "compute_lpr_atom.hpp"
#include "lammpsplugin.hpp"

namespace {

// Read at run time, and not folded into the code, so that it can be found in the file.
volatile const int built_for = LPR_FAST_LAMMPS_VERSION;

/// Why this LAMMPS cannot take the plugin; empty if it can. Uses LAMMPS's C interface alone, because the layout of its
/// classes is what versions differ in.
std::string mismatch(void* lammps) {
    const int running = lammps_version(lammps);
    if (running != built_for)
        return "The lpr_fast plugin was built for LAMMPS " + std::to_string(built_for) + ", but this is LAMMPS " +
               std::to_string(running) + ": compute lpr/atom is not available; install or build the plugin for it.";
    if (lammps_extract_setting(lammps, "tagint") != static_cast<int>(sizeof(LAMMPS_NS::tagint)))
        return "The lpr_fast plugin was built for other integer sizes than this LAMMPS: compute lpr/atom is not "
               "available; build the plugin with -DLAMMPS_BIGBIG=ON or OFF, as LAMMPS was.";
    return "";
}

void* create_compute(void* lammps, int n_arguments, char** arguments) {
    return new lpr_fast::ComputeLprAtom(static_cast<LAMMPS_NS::LAMMPS*>(lammps), n_arguments, arguments);
}

}  // namespace

void lammpsplugin_init(void* lammps, void* handle, void* register_function) {
    const std::string reason = mismatch(lammps);
    if (!reason.empty()) {
        lammps_error(lammps, 0, reason.c_str());  // 0: a warning, for other runs must not fail because of us
        return;
    }
    lammpsplugin_t plugin{};
    plugin.version = static_cast<LAMMPS_NS::LAMMPS*>(lammps)->version;
    plugin.style = "compute";
    plugin.name = "lpr/atom";
    plugin.info = "compute lpr/atom of lpr_fast " LPR_FAST_VERSION;
    plugin.author = "the authors of lpr_fast";
    plugin.creator.v2 = &create_compute;
    plugin.handle = handle;
    reinterpret_cast<lammpsplugin_regfunc>(register_function)(&plugin, lammps);
}
