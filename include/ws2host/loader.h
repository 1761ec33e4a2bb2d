/*
 * What ws2host needs of the loader it runs under: four things, and a word when they cannot be had. dlls/ws2host/bridge.c is their only implementation
 * (Wine 8.0 and later); another loader is one more file with these functions. Called from the PE side only.
 */
#ifndef WS2HOST_LOADER_H
#define WS2HOST_LOADER_H

#include <stdint.h>

/* All return an NTSTATUS, 0 for success. */

/* Whether the host half is there; without it the bridge loads all the same, and the functions below fail. */
int32_t ws2host_ready( void );

/* A line, newline included, for a person: where the loader's messages go, even those that it is told to hide. */
void ws2host_say( const char *line );

/* Runs entry `code` (enum ws2_call) of ws2host.so on args. A crash there comes back as its exception status. */
int32_t ws2host_call( unsigned int code, void *args );

/* Makes a handle of this process from a host descriptor. The handle has a reference of its own to the host object:
 * fd stays the caller's. attributes: OBJ_INHERIT or 0. */
int32_t ws2host_fd_to_handle( int fd, unsigned int attributes, void **handle );

/* A new host descriptor (the caller's to close, on the host side) of the object behind a handle. */
int32_t ws2host_handle_to_fd( void *handle, int *fd );

/* Host path, NUL-terminated, of a DOS path, which may be relative; its last part need not exist. size in bytes.
 * STATUS_OBJECT_PATH_NOT_FOUND: its folder does not exist; -1 when there is none otherwise, or it does not fit. */
int32_t ws2host_host_path( const uint16_t *dos_path, char *path, unsigned int size );

#endif
