/*
 * What crosses between the halves, which three compilers lay out: x86_64's, i386's of the host (where 64-bit fields stand on 4)
 * and i686's of Windows (on 8). A struct with such fields that ends on a multiple of 8 has one size for all;
 * tests/run-layouts compares the rest.
 */
#ifndef WS2HOST_ALIKE_H
#define WS2HOST_ALIKE_H

#include <stdint.h>

#define WS2_ALIKE( type ) _Static_assert( sizeof( type ) % 8 == 0, #type " has one size in 32 and 64 bits" )

#endif
