/* The process as a Windows program of one thread has it: attached, with SOCKETs under values that the test chooses. */
#ifndef WS2HOST_TEST_WINSOCK_H
#define WS2HOST_TEST_WINSOCK_H

#include <arpa/inet.h>
#include "harness.h"
#include "operations/operation.h"
#include "sockets/windows_message.h"
#include "ws2host/interface.h"

/* A pointer as the calls have it. */
#define user( memory ) ( (uint64_t)(uintptr_t)( memory ) )

static inline int winsock_attach( uint32_t windows_pid )
{
    struct ws2_attach_params attach = { .windows_pid = windows_pid, .build = WS2_INTERFACE };

    unix_attach( &attach );
    return !attach.error;
}

static inline int winsock_make( uint32_t type, uint64_t handle )
{
    struct ws2_socket_create_params create = {
        .family = WS_AF_INET, .type = type, .protocol = type == SOCK_STREAM ? 6 : 17, .flags = WS2_FLAG_OVERLAPPED
    };
    struct ws2_socket_install_params install = { .handle = handle };

    if ( unix_socket_create( &create ) || create.error ) return 0;
    install.descriptor = create.descriptor;
    return !unix_socket_install( &install ) && !install.error;
}

/* What an end has for the program's memory is written there. */
static inline void winsock_copy( const struct ws2_completion *completion )
{
    for ( uint32_t i = 0; i < completion->write_count; i++ )
        memcpy( (void *)(uintptr_t)completion->writes[i].target, (void *)(uintptr_t)completion->writes[i].source,
                completion->writes[i].size );
}

/* The program has been told of an end: the operation is given back. */
static inline void winsock_told( const struct ws2_completion *completion )
{
    atomic_fetch_sub( (_Atomic uint32_t *)(uintptr_t)completion->undelivered, 1 );
    atomic_store( (_Atomic uint32_t *)(uintptr_t)completion->told, 1 );
}

/* 0: another thread closes it. */
static inline int winsock_close( uint64_t handle )
{
    struct ws2_handle_params params = { .handle = handle };

    if ( unix_close_begin( &params ) ) return 0;
    unix_close_end( &params );
    return 1;
}

/* A socket that listens on the loopback, and where. */
static inline int winsock_listen( uint64_t handle, struct sockaddr_in *address )
{
    int32_t size = sizeof( *address );
    struct ws2_address_params bind = { .handle = handle, .address = user( address ), .size = sizeof( *address ) };
    struct ws2_address_params name = { .handle = handle, .address = user( address ), .size_pointer = user( &size ) };
    struct ws2_listen_params listen = { .handle = handle, .backlog = 100 };

    *address = ( struct sockaddr_in ){ .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    return winsock_make( SOCK_STREAM, handle ) && !unix_bind( &bind ) && !bind.error && !unix_listen( &listen ) &&
           !listen.error && !unix_getsockname( &name ) && !name.error;
}

/* A connection with a socket that listens there: its two ends. */
static inline void winsock_connect( uint64_t listener, const struct sockaddr_in *there, uint64_t client,
                                    uint64_t server )
{
    struct ws2_address_params connect = { .handle = client, .address = user( there ), .size = sizeof( *there ) };
    struct ws2_accept_params accept = { .handle = listener };
    struct ws2_socket_install_params install = { .handle = server };

    ck_assert( winsock_make( SOCK_STREAM, client ) );
    while ( unix_connect( &connect ) == WS2_STATUS_ALERT ) continue;
    ck_assert_int_eq( connect.error, 0 );
    while ( unix_accept( &accept ) == WS2_STATUS_ALERT ) continue;
    ck_assert_int_eq( accept.error, 0 );
    install.descriptor = accept.descriptor;
    ck_assert( !unix_socket_install( &install ) && !install.error );
}

#endif
