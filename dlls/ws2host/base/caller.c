/* The width of the program that this process runs: one for all its life, since no loader mixes them. */
#include "base/caller.h"

#ifndef caller_width
uint32_t caller_width = 8;
#endif
