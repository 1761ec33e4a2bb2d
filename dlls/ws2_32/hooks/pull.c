/*
 * DuplicateHandle with a source in another process. What stands behind a SOCKET's value there may be a stand-in of that process's
 * pool: then that process is asked for the socket itself (dlls/ws2host/calls/stand_in.c), and the copy is made of it.
 *
 * Any other copy made for this process costs one question to the loader's server more. With DUPLICATE_CLOSE_SOURCE, or for a third
 * process, it is some: what may be closed is known only by a copy. The source is closed whatever becomes of the copy, as on Windows.
 *
 * A process that is killed between the owner's answer, with which the SOCKET has ended there, and the closing of its handle leaves
 * that to the owner, one handle of the loader's server for each so killed, whose value is not used again before the owner ends:
 * that may not close it itself, since the one that asked may only be slow, and would close what has the value by then.
 */
#include "base/ws2_32_private.h"
#include "hooks/pull.h"
#include "base/nt_codes.h"

BOOL pull_is_this_process( HANDLE process )
{
    PROCESS_BASIC_INFORMATION info;

    if ( process == GetCurrentProcess() ) return TRUE;
    return !NtQueryInformationProcess( process, ProcessBasicInformation, &info, sizeof( info ), NULL ) &&
           info.UniqueProcessId == GetCurrentProcessId();
}

/* A socket of the host is a pipe to the loader. */
static BOOL is_pipe( HANDLE handle )
{
    struct
    {
        ULONG type, characteristics;
    } device = { 0 };
    IO_STATUS_BLOCK iosb;

    /* by its name: handles are copied before WSAStartup puts that hook in, too */
    return !NtQueryVolumeInformationFile( handle, &iosb, &device, sizeof( device ), FileFsDeviceInformation ) &&
           device.type == 0x11 /* FILE_DEVICE_NAMED_PIPE */;
}

/* Asks the owner what a copy of its handle is of. FALSE: that is no stand-in. */
static BOOL ask( HANDLE copy, struct ws2_stand_in_ask_params *params )
{
    params->fd = -1;
    if ( !is_pipe( copy ) || ws2host_handle_to_fd( copy, &params->fd ) ) return FALSE;
    return !ws2host_call( ws2_call_stand_in_ask, params ) && params->error != WSAEOPNOTSUPP;
}

BOOL pull_close_in( HANDLE process, HANDLE handle )
{
    HANDLE copy;

    if ( nt_NtDuplicateObject( process, handle, GetCurrentProcess(), &copy, 0, 0,
                               DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE ) )
        return FALSE;
    nt_NtClose( copy );
    return TRUE;
}

/* What was asked for, instead of the stand-in. */
static NTSTATUS give( struct ws2_stand_in_ask_params *params, HANDLE target_process, HANDLE *target, ACCESS_MASK access,
                      ULONG attributes, ULONG options )
{
    void *made = NULL;
    NTSTATUS status;

    if ( params->error ) return params->error == WSAENOTSOCK ? STATUS_INVALID_HANDLE : STATUS_INSUFFICIENT_RESOURCES;
    status = ws2host_fd_to_handle( params->fd, 0, &made );
    ws2_close_fd( params->fd );
    if ( status ) return status;
    if ( options & DUPLICATE_SAME_ATTRIBUTES ) attributes = params->inherited ? OBJ_INHERIT : 0;
    status = nt_NtDuplicateObject( GetCurrentProcess(), made, target_process, target, access, attributes,
                                   options & ~( DUPLICATE_SAME_ATTRIBUTES | DUPLICATE_CLOSE_SOURCE ) );
    nt_NtClose( made );
    return status;
}

NTSTATUS pull_duplicate( HANDLE source_process, HANDLE source, HANDLE target_process, HANDLE *target,
                         ACCESS_MASK access, ULONG attributes, ULONG options )
{
    struct ws2_stand_in_ask_params params = { .handle = (UINT_PTR)source & ~(UINT_PTR)3,
                                              .end = ( options & DUPLICATE_CLOSE_SOURCE ) != 0 };
    HANDLE copy;
    BOOL is_stand_in;
    NTSTATUS status;

    if ( target_process == GetCurrentProcess() && !params.end )
    {
        status = nt_NtDuplicateObject( source_process, source, target_process, target, access, attributes, options );
        if ( status || ws2_read( &copy, target, sizeof( copy ) ) || !ask( copy, &params ) ) return status;
        nt_NtClose( copy );
        copy = NULL;
        ws2_write( target, &copy, sizeof( copy ) );
        return give( &params, target_process, target, access, attributes, options );
    }
    /* the loader says what is wrong */
    if ( nt_NtDuplicateObject( source_process, source, GetCurrentProcess(), &copy, 0, 0, DUPLICATE_SAME_ACCESS ) )
        return nt_NtDuplicateObject( source_process, source, target_process, target, access, attributes, options );
    is_stand_in = ask( copy, &params );
    nt_NtClose( copy );
    if ( !is_stand_in )
        return nt_NtDuplicateObject( source_process, source, target_process, target, access, attributes, options );
    if ( params.real ) pull_close_in( source_process, (HANDLE)(UINT_PTR)params.real );
    if ( params.end && !params.error ) pull_close_in( source_process, source );
    if ( target_process || params.error ) return give( &params, target_process, target, access, attributes, options );
    /* nothing but its end is wanted */
    ws2_close_fd( params.fd );
    return 0;
}
