/* The table of upcalls.h; it is constant once the DLL is loaded. */
#include "base/upcalls.h"

struct ws2_upcalls ws2_upcalls;
