/* See host_counts.h. */
#include "base/host_counts.h"

static struct ws2_counts unattached __attribute__( ( aligned( 64 ) ) );
struct ws2_counts *_Atomic host_counts = &unattached;
