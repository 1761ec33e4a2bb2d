/*
 * What a process keeps of the nodes of AF_UNIX sockets that it has bound: a descriptor of each node, and the name that the
 * program gave. When somebody takes the server directory away, the server makes it again, and in it a link to that
 * descriptor (server/nodes.c) in each node's place: who connects by the node's path finds the socket as before.
 */
#ifndef WS2HOST_LOCAL_KEEP_H
#define WS2HOST_LOCAL_KEEP_H

#include "descriptors/descriptor.h"

void local_keep( const struct descriptor *descriptor, const char *node, unsigned long long number, const char *given );
/* The descriptor is being closed. */
void local_forget( const struct descriptor *descriptor );
/* The name of a node, without its NUL if it is longer than size; -1: this process has not bound it. */
int local_kept_name( unsigned long long number, char *given, size_t size );

#endif
