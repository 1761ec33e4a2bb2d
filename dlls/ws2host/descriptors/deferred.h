/* Connections that the program's condition function put off (CF_DEFER): a list at their listener, without locks. */
#ifndef WS2HOST_DEFERRED_H
#define WS2HOST_DEFERRED_H

#include "descriptors/descriptor.h"

/* d stands in no table. */
void deferred_put_consume( struct descriptor *listener, struct descriptor *d );
/* One of them, the caller's, or NULL. */
struct descriptor *deferred_take( struct descriptor *listener );
/* The listener is being closed. */
void deferred_discard_all( struct descriptor *listener );

#endif
