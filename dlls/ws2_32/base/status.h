/* One side's status as the other side's error (status.c). */
#ifndef STATUS_H
#define STATUS_H

#include <winsock2.h>
#include <windows.h>
#include <winternl.h>

NTSTATUS status_of_error( int winsock_error );
int status_to_error( NTSTATUS status );

#endif
