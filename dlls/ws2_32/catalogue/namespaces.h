/* The name-space providers of the system, a constant table. */
#ifndef NAMESPACES_H
#define NAMESPACES_H

#include <winsock2.h>

struct namespace_entry
{
    GUID provider;
    DWORD name_space; /* NS_* */
    DWORD version;
    const WCHAR *identifier;
};

extern const struct namespace_entry namespaces[];
extern const unsigned int namespace_count;

/* NULL for one that is not installed. */
const struct namespace_entry *namespace_by_provider( const GUID *provider );

#endif
