/*
 * Hooks for what a SOCKET has in common with files: ReadFile and WriteFile, completion ports, cancelling,
 * and what NtQueryObject tells. The operations themselves are overlapped.c's.
 *
 * Also \Device\Afd, which programs open to poll sockets through: the handle is a socket of ours that is never used as one,
 * so that completion ports, cancelling and closing know it without further ado.
 */
#include "base/ws2_32_private.h"
#include "hooks/local_files.h"
#include "ports/ports.h"
#include "sockets/handle_pool.h"
#include "sockets/served_events.h"
#include "sockets/socket.h"
#include "ntdll/hooks.h"
#include "overlapped/overlapped.h"
#include "ports/port_queue.h"
#include "base/nt_codes.h"
#include "ws2host/table.h"

/* --- reading and writing ----------------------------------------------------------------------------------------------*/

/* How a read or write of a file handle goes on a socket; the status of one that is refused. Sockets with overlapped
 * handles want an offset, and then do not look at it; those without one wait, whatever FIONBIO says. */
static NTSTATUS file_transfer_how( HANDLE handle, const LARGE_INTEGER *offset, enum overlapped_how *how )
{
    struct ws2_socket_info_params info = { .handle = (UINT_PTR)handle & ~(UINT_PTR)3 };
    LARGE_INTEGER copy;

    if ( ws2_call( socket_info, &info ) ) return STATUS_INVALID_HANDLE;
    if ( !( info.flags & WS2_FLAG_OVERLAPPED ) )
    {
        *how = OVERLAPPED_WAIT;
        return 0;
    }
    *how = OVERLAPPED_NORMAL;
    if ( !offset ) return STATUS_INVALID_PARAMETER;
    if ( ws2_read( &copy, offset, sizeof( copy ) ) ) return STATUS_ACCESS_VIOLATION;
    return copy.QuadPart < 0 ? STATUS_INVALID_PARAMETER : 0;
}

NTSTATUS NTAPI hook_NtReadFile( HANDLE handle, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *iosb,
                                void *buffer, ULONG size, LARGE_INTEGER *offset, ULONG *key )
{
    struct overlapped_request request = { event, apc, apc_context, iosb };
    WSABUF buffers = { size, buffer };
    enum overlapped_how how;
    NTSTATUS status;

    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    if ( !hooks_is_socket( handle ) && hooks_is_event( event ) ) served_event_refuse( event );
    if ( !hooks_is_socket( handle ) )
        return nt_NtReadFile( handle, event, apc, apc_context, iosb, buffer, size, offset, key );
    if ( ( status = file_transfer_how( handle, offset, &how ) ) ) return status;
    return overlapped_start_receive( handle, &request, &buffers, 1, 0, how );
}

NTSTATUS NTAPI hook_NtWriteFile( HANDLE handle, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *iosb,
                                 const void *buffer, ULONG size, LARGE_INTEGER *offset, ULONG *key )
{
    struct overlapped_request request = { event, apc, apc_context, iosb };
    WSABUF buffers = { size, (char *)buffer };
    enum overlapped_how how;
    NTSTATUS status;

    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    if ( !hooks_is_socket( handle ) && hooks_is_event( event ) ) served_event_refuse( event );
    if ( !hooks_is_socket( handle ) )
        return nt_NtWriteFile( handle, event, apc, apc_context, iosb, buffer, size, offset, key );
    if ( ( status = file_transfer_how( handle, offset, &how ) ) ) return status;
    return overlapped_start_send( handle, &request, &buffers, 1, 0, how );
}

/* --- completion ports -------------------------------------------------------------------------------------------------*/

static NTSTATUS set_information( HANDLE handle, IO_STATUS_BLOCK *iosb, void *information, ULONG size, ULONG class )
{
    IO_STATUS_BLOCK result = { { 0 }, 0 };
    struct
    {
        HANDLE port;
        ULONG_PTR key;
    } completion;
    ULONG modes;

    if ( class == FILE_COMPLETION_INFORMATION )
    {
        if ( size < sizeof( completion ) ) return STATUS_INFO_LENGTH_MISMATCH;
        if ( ws2_read( &completion, information, sizeof( completion ) ) ) return STATUS_ACCESS_VIOLATION;
        result.Status = port_associate( handle, completion.port, completion.key );
    }
    else
    {
        if ( size < sizeof( modes ) ) return STATUS_INFO_LENGTH_MISMATCH;
        if ( ws2_read( &modes, information, sizeof( modes ) ) ) return STATUS_ACCESS_VIOLATION;
        result.Status = modes & ~FILE_SKIP_FLAGS ? STATUS_INVALID_PARAMETER : port_set_modes( handle, modes );
    }
    if ( ws2_write( iosb, &result, sizeof( result ) ) ) return STATUS_ACCESS_VIOLATION;
    return result.Status;
}

NTSTATUS NTAPI hook_NtSetInformationFile( HANDLE handle, IO_STATUS_BLOCK *iosb, void *information, ULONG size,
                                          ULONG class )
{
    BOOL of_ports = class == FILE_COMPLETION_INFORMATION || class == FILE_IO_COMPLETION_NOTIFICATION_INFORMATION;
    NTSTATUS status;

    if ( of_ports && hooks_is_socket( handle ) ) return set_information( handle, iosb, information, size, class );
    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    status = nt_NtSetInformationFile( handle, iosb, information, size, class );
    if ( !status && class == FILE_COMPLETION_INFORMATION ) port_queue_foreign( *(HANDLE *)information );
    /* the loader does not take a synchronous file for a port: it may be a socket that the process has not seen yet */
    if ( status == STATUS_INVALID_PARAMETER && of_ports && ws2_adopt( (UINT_PTR)handle ) )
        return set_information( handle, iosb, information, size, class );
    return status;
}

/* --- cancelling -------------------------------------------------------------------------------------------------------*/

static NTSTATUS files_cancelled( IO_STATUS_BLOCK *iosb, NTSTATUS status )
{
    IO_STATUS_BLOCK result = { { status }, 0 };

    return ws2_write( iosb, &result, sizeof( result ) ) ? STATUS_ACCESS_VIOLATION : status;
}

NTSTATUS NTAPI hook_NtCancelIoFile( HANDLE handle, IO_STATUS_BLOCK *iosb )
{
    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    if ( !hooks_is_socket( handle ) ) return nt_NtCancelIoFile( handle, iosb );
    /* nothing to cancel is no error here */
    overlapped_cancel( handle, NULL, TRUE );
    return files_cancelled( iosb, 0 );
}

NTSTATUS NTAPI hook_NtCancelIoFileEx( HANDLE handle, IO_STATUS_BLOCK *which, IO_STATUS_BLOCK *iosb )
{
    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    if ( !hooks_is_socket( handle ) ) return nt_NtCancelIoFileEx( handle, which, iosb );
    return files_cancelled( iosb, overlapped_cancel( handle, which, FALSE ) );
}

/* --- what the object manager tells ------------------------------------------------------------------------------------*/

/* Its flags, of which the loader knows some where it has been told. */
static void pooled_flags( HANDLE handle, const struct ws2_socket_pooled_params *pooled,
                          struct object_handle_flags *flags )
{
    *flags = ( struct object_handle_flags ){ 0 };
    if ( pooled->marked ) nt_NtQueryObject( handle, OBJECT_DATA_INFORMATION, flags, sizeof( *flags ), NULL );
    flags->inherited = pooled->inherited;
}

/* What is told of one handle, is told of the one for which a stand-in stands, of which the first copy is the SOCKET itself. */
static void pooled_counts( const struct ws2_socket_pooled_params *pooled, PUBLIC_OBJECT_BASIC_INFORMATION *basic )
{
    PUBLIC_OBJECT_BASIC_INFORMATION real = { .HandleCount = 1, .PointerCount = 1 };

    if ( pooled->real )
        nt_NtQueryObject( (HANDLE)(UINT_PTR)pooled->real, OBJECT_BASIC_INFORMATION, &real, sizeof( real ), NULL );
    basic->HandleCount = real.HandleCount;
    basic->PointerCount = real.PointerCount;
}

/* Every socket has the name of its device: programs tell sockets from pipes by it. */
static NTSTATUS name_socket( void *information, ULONG size, ULONG *needed )
{
    static const WCHAR afd[] = L"\\Device\\Afd";
    UNICODE_STRING name = { sizeof( afd ) - sizeof( WCHAR ), sizeof( afd ),
                            (WCHAR *)( (UNICODE_STRING *)information + 1 ) };
    const ULONG whole = sizeof( name ) + sizeof( afd );

    if ( needed && ws2_write( needed, &whole, sizeof( whole ) ) ) return STATUS_ACCESS_VIOLATION;
    if ( size < sizeof( name ) ) return NT_STATUS( 0xc0000004 ); /* STATUS_INFO_LENGTH_MISMATCH */
    if ( size < whole ) return NT_STATUS( 0x80000005 );          /* STATUS_BUFFER_OVERFLOW */
    if ( ws2_write( information, &name, sizeof( name ) ) || ws2_write( name.Buffer, afd, sizeof( afd ) ) )
        return STATUS_ACCESS_VIOLATION;
    return 0;
}

/* One that the process has not seen yet; the loader has no name for it. */
static BOOL is_nameless_socket( HANDLE handle, NTSTATUS status, const UNICODE_STRING *name )
{
    return !status && !name->Length && ws2_adopt( (UINT_PTR)handle );
}

/* The loader does not tell whether a handle is inherited, and gives one of a host descriptor less access than Windows
 * gives a socket's. */
NTSTATUS NTAPI hook_NtQueryObject( HANDLE handle, ULONG class, void *information, ULONG size, ULONG *needed )
{
    PUBLIC_OBJECT_BASIC_INFORMATION *basic = information;
    struct ws2_socket_pooled_params pooled;
    struct object_handle_flags flags;
    ULONG length = sizeof( flags );
    NTSTATUS status;

    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    if ( class == OBJECT_NAME_INFORMATION && hooks_is_socket( handle ) )
        return name_socket( information, size, needed );
    if ( class == OBJECT_DATA_INFORMATION && size >= length && handle_pool_look( handle, &pooled ) )
    {
        pooled_flags( handle, &pooled, &flags );
        return ws2_write( information, &flags, length ) || ( needed && ws2_write( needed, &length, sizeof( length ) ) )
                   ? STATUS_ACCESS_VIOLATION
                   : 0;
    }
    status = nt_NtQueryObject( handle, class, information, size, needed );
    if ( class == OBJECT_NAME_INFORMATION && is_nameless_socket( handle, status, information ) )
        return name_socket( information, size, needed );
    if ( status || class != OBJECT_BASIC_INFORMATION || size < sizeof( *basic ) || !hooks_is_socket( handle ) )
        return status;
    basic->GrantedAccess = SOCKET_HANDLE_ACCESS;
    if ( handle_pool_look( handle, &pooled ) )
    {
        basic->Attributes = pooled.inherited ? OBJ_INHERIT : 0;
        pooled_counts( &pooled, basic );
    }
    else if ( !nt_NtQueryObject( handle, OBJECT_DATA_INFORMATION, &flags, sizeof( flags ), NULL ) )
        basic->Attributes = flags.inherited ? OBJ_INHERIT : 0;
    return 0;
}

/* --- what the loader does with a file, which is the host socket's and no stand-in's ---------------------------------*/

/* GetFileType asks for the kind of device, which a stand-in has in common with what it stands for. */
NTSTATUS NTAPI hook_NtQueryVolumeInformationFile( HANDLE handle, IO_STATUS_BLOCK *iosb, void *information, ULONG size,
                                                  ULONG class )
{
    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    return nt_NtQueryVolumeInformationFile( handle, iosb, information, size, class );
}

NTSTATUS NTAPI hook_NtFlushBuffersFile( HANDLE handle, IO_STATUS_BLOCK *iosb )
{
    if ( !handle_pool_find_file( &handle ) ) return STATUS_INVALID_HANDLE;
    return nt_NtFlushBuffersFile( handle, iosb );
}

/* --- \Device\Afd ------------------------------------------------------------------------------------------------------*/

static BOOL names_afd( const OBJECT_ATTRIBUTES *attributes )
{
    static const WCHAR afd[] = L"\\Device\\Afd";
    const unsigned int length = sizeof( afd ) / sizeof( WCHAR ) - 1;
    const UNICODE_STRING *name;

    if ( !attributes || attributes->RootDirectory || !( name = attributes->ObjectName ) || !name->Buffer ||
         name->Length < length * sizeof( WCHAR ) || name->Buffer[1] != 'D' )
        return FALSE;
    for ( unsigned int i = 0; i < length; i++ )
        if ( ( name->Buffer[i] ^ afd[i] ) & ~( afd[i] >= 'A' ? 0x20 : 0 ) ) return FALSE;
    return name->Length == length * sizeof( WCHAR ) || name->Buffer[length] == '\\';
}

/* A loader whose system calls have an unknown shape is found out here at the latest: it goes without. */
static BOOL serves_afd( const OBJECT_ATTRIBUTES *attributes )
{
    return names_afd( attributes ) && !ws2_attach() && hooks_view.handles;
}

static NTSTATUS open_afd( HANDLE *handle, ULONG attributes, IO_STATUS_BLOCK *iosb )
{
    IO_STATUS_BLOCK result = { { 0 }, FILE_OPENED };
    SOCKET helper = socket_open_helper( attributes & OBJ_INHERIT );

    if ( helper == INVALID_SOCKET ) return STATUS_INSUFFICIENT_RESOURCES;
    if ( !ws2_write( handle, &helper, sizeof( helper ) ) && !ws2_write( iosb, &result, sizeof( result ) ) ) return 0;
    socket_close( helper );
    return STATUS_ACCESS_VIOLATION;
}

NTSTATUS NTAPI hook_NtCreateFile( HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
                                  IO_STATUS_BLOCK *iosb, LARGE_INTEGER *allocation, ULONG file_attributes,
                                  ULONG sharing, ULONG disposition, ULONG options, void *ea, ULONG ea_size )
{
    if ( !ea_size && serves_afd( attributes ) ) return open_afd( handle, attributes->Attributes, iosb );
    if ( local_file_refuses( access, attributes, disposition, options ) ) return STATUS_IO_REPARSE_TAG_NOT_HANDLED;
    return nt_NtCreateFile( handle, access, attributes, iosb, allocation, file_attributes, sharing, disposition,
                            options, ea, ea_size );
}

NTSTATUS NTAPI hook_NtOpenFile( HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
                                IO_STATUS_BLOCK *iosb, ULONG sharing, ULONG options )
{
    if ( serves_afd( attributes ) ) return open_afd( handle, attributes->Attributes, iosb );
    if ( local_file_refuses( access, attributes, FILE_OPEN, options ) ) return STATUS_IO_REPARSE_TAG_NOT_HANDLED;
    return nt_NtOpenFile( handle, access, attributes, iosb, sharing, options );
}
