/* What the host says of its network adapters: names_local.c. */
#ifndef WS2HOST_ADAPTERS_H
#define WS2HOST_ADAPTERS_H

/* Whether a default route of the family (the host's number) goes by the interface. */
int interface_carries_default_route( const char *interface, int family );

#endif
