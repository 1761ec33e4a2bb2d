/* The process's counts, in its page of the table (counts.c). */
#ifndef WS2HOST_COUNTS_H
#define WS2HOST_COUNTS_H

#include "ws2host/table.h"

/* From now on the PE side's page at that address is the process's page of the table, for both halves, with what is counted in it;
 * where there is no memory for that it stays as it is. It is there for good. Of an attached process, any number of times. */
void counts_show( struct ws2_counts *page );

#endif
