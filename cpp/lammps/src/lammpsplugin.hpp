#pragma once

// The interface between LAMMPS and its plugins, from LAMMPS's documentation (Developer's guide, "Writing plugins"). The
// headers that LAMMPS installs do not contain it.

extern "C" {

using lammpsplugin_factory1 = void*(void*);
using lammpsplugin_factory2 = void*(void*, int, char**);
using lammpsplugin_factory3 = void(void*, int, char**);

struct lammpsplugin_t {
    const char* version;
    const char* style;
    const char* name;
    const char* info;
    const char* author;
    union {
        lammpsplugin_factory1* v1;
        lammpsplugin_factory2* v2;
        lammpsplugin_factory3* v3;
    } creator;
    void* handle;
};

using lammpsplugin_regfunc = void (*)(lammpsplugin_t*, void*);

__attribute__((visibility("default"))) void lammpsplugin_init(void* lammps, void* handle, void* register_function);
}
