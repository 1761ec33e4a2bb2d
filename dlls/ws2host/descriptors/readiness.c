/* What who remembers a poll looks at, and who meets a strange handle: see descriptor.h. Apart from descriptor.c, since what that calls counts here too. */
#include "descriptors/descriptor.h"

_Atomic uint64_t descriptor_changes;
_Atomic uint64_t descriptor_reals[DESCRIPTOR_REAL_WORDS];
