/* Which ws2_32 the loader will give to a program that has loaded none yet: what is said by variable and in the registry. */
#ifndef LOAD_ORDER_H
#define LOAD_ORDER_H

#include "sockets/other_process.h"

enum load_order
{
    LOAD_NOT_SAID,
    LOAD_NATIVE, /* the one of the system folder */
    LOAD_BUILTIN /* the loader's own, or none */
};
enum load_order load_order_of( const struct other_process *process );

#endif
