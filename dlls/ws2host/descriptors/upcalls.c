/* See upcalls.h. Written once, when the process attaches. */
#include "descriptors/upcalls.h"

struct upcalls upcalls;
