/*
 * Hooks for the files of AF_UNIX sockets: reparse points without data, which only sockets open. To the loader they are
 * ordinary ones; they are known by a size and a time that no other file has together (include/ws2host/unixcall_sockets.h), and
 * the loader's answers are set right here. Who asks of other files pays a look at the answer.
 *
 * Whether a file may be opened costs a question of its own, so only processes that have named a socket by a path ask it.
 */
#include "base/ws2_32_private.h"
#include "base/local_addresses.h"
#include "base/thread_data.h"
#include "hooks/local_files.h"
#include "sockets/handle_pool.h"
#include "sockets/served_events.h"
#include "base/nt_codes.h"

#define REPARSE_TAG_AF_UNIX 0x80000023

/* classes that the compiler's headers leave out */
#define CLASS_ID_BOTH_DIRECTORY 37
#define CLASS_ID_FULL_DIRECTORY 38
#define CLASS_STAT 68

struct basic_information
{
    LARGE_INTEGER created, read, written, changed;
    ULONG attributes;
};

struct open_information /* FileNetworkOpenInformation */
{
    LARGE_INTEGER created, read, written, changed, allocation, size;
    ULONG attributes;
};

struct standard_information
{
    LARGE_INTEGER allocation, size;
};

struct all_information /* as far as it is wanted here */
{
    struct basic_information basic;
    struct standard_information standard;
};

struct stat_information
{
    LARGE_INTEGER id, created, read, written, changed, allocation, size;
    ULONG attributes, tag;
};

struct directory_entry /* the same in all classes that tell attributes */
{
    ULONG next, index;
    LARGE_INTEGER created, read, written, changed, size, allocation;
    ULONG attributes, name_length, tag; /* no tag in FileDirectoryInformation */
};

struct tag_information
{
    ULONG attributes, tag;
};

static BOOL has_ticks( const LARGE_INTEGER *written ) { return written->QuadPart % 10000000 == WS2_LOCAL_FILE_TICKS; }

static BOOL is_local( const LARGE_INTEGER *written, const LARGE_INTEGER *size, ULONG attributes )
{
    return size->QuadPart == WS2_LOCAL_FILE_SIZE && has_ticks( written ) && !( attributes & FILE_ATTRIBUTE_DIRECTORY );
}

static BOOL is_local_name( const OBJECT_ATTRIBUTES *attributes )
{
    struct open_information info;

    return !nt_NtQueryFullAttributesFile( attributes, &info ) && is_local( &info.written, &info.size, info.attributes );
}

static BOOL is_local_handle( HANDLE handle )
{
    struct open_information info;
    IO_STATUS_BLOCK iosb;

    return !nt_NtQueryInformationFile( handle, &iosb, &info, sizeof( info ), FileNetworkOpenInformation ) &&
           is_local( &info.written, &info.size, info.attributes );
}

static void show_open( struct open_information *info )
{
    info->attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
    info->size.QuadPart = 0;
}

/* --- by name ----------------------------------------------------------------------------------------------------------*/

NTSTATUS NTAPI hook_NtQueryAttributesFile( const OBJECT_ATTRIBUTES *attributes, void *information )
{
    const NTSTATUS status = nt_NtQueryAttributesFile( attributes, information );
    struct basic_information *info = information;

    if ( !status && has_ticks( &info->written ) && is_local_name( attributes ) )
        info->attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
    return status;
}

NTSTATUS NTAPI hook_NtQueryFullAttributesFile( const OBJECT_ATTRIBUTES *attributes, void *information )
{
    const NTSTATUS status = nt_NtQueryFullAttributesFile( attributes, information );
    struct open_information *info = information;

    if ( !status && is_local( &info->written, &info->size, info->attributes ) ) show_open( info );
    return status;
}

/* FILE_FLAG_OPEN_REPARSE_POINT is lost on the loader's way from here to the system call. */
HANDLE WINAPI patch_CreateFileW( const WCHAR *name, DWORD access, DWORD sharing, SECURITY_ATTRIBUTES *security,
                                 DWORD disposition, DWORD flags, HANDLE template )
{
    struct thread_data *data = NULL;
    HANDLE file;

    if ( local_paths_used && ( flags & FILE_FLAG_OPEN_REPARSE_POINT ) && ( data = thread_data() ) )
        data->opens_points = TRUE;
    file = kernel_CreateFileW( name, access, sharing, security, disposition, flags, template );
    if ( data ) data->opens_points = FALSE;
    return file;
}

static BOOL opens_points( void )
{
    const struct thread_data *data = thread_data();

    return !data || data->opens_points;
}

BOOL local_file_refuses( ACCESS_MASK access, const OBJECT_ATTRIBUTES *attributes, ULONG disposition, ULONG options )
{
    /* deleting and renaming by name open the point itself on Windows; the loader does not say so */
    const ACCESS_MASK wanted = FILE_READ_DATA | FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_EXECUTE |
                               FILE_READ_ATTRIBUTES | GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL;

    return local_paths_used && kernel_CreateFileW && ( access & wanted ) && disposition != FILE_CREATE &&
           !( options & ( FILE_OPEN_REPARSE_POINT | FILE_DELETE_ON_CLOSE | FILE_DIRECTORY_FILE ) ) &&
           is_local_name( attributes ) && !opens_points();
}

NTSTATUS NTAPI hook_NtQueryDirectoryFile( HANDLE handle, HANDLE event, void *apc, void *apc_context,
                                          IO_STATUS_BLOCK *iosb, void *information, ULONG size, ULONG class,
                                          BOOLEAN single, UNICODE_STRING *mask, BOOLEAN restart )
{
    const NTSTATUS status = nt_NtQueryDirectoryFile( handle, event, apc, apc_context, iosb, information, size, class,
                                                     single, mask, restart );
    struct directory_entry *entry = information;

    if ( status || ( class != FileDirectoryInformation && class != FileFullDirectoryInformation &&
                     class != FileBothDirectoryInformation && class != CLASS_ID_BOTH_DIRECTORY &&
                     class != CLASS_ID_FULL_DIRECTORY ) )
        return status;
    for ( ;; entry = (struct directory_entry *)( (char *)entry + entry->next ) )
    {
        if ( is_local( &entry->written, &entry->size, entry->attributes ) )
        {
            entry->attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
            entry->size.QuadPart = 0;
            if ( class != FileDirectoryInformation ) entry->tag = REPARSE_TAG_AF_UNIX;
        }
        if ( !entry->next ) return status;
    }
}

/* --- by handle --------------------------------------------------------------------------------------------------------*/

static void show_information( HANDLE handle, void *information, ULONG class )
{
    union
    {
        struct basic_information basic;
        struct standard_information standard;
        struct all_information all;
        struct open_information open;
        struct stat_information stat;
        struct tag_information tag;
    } *info = information;

    switch ( class )
    {
    case FileBasicInformation:
        if ( has_ticks( &info->basic.written ) && is_local_handle( handle ) )
            info->basic.attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
        break;
    case FileStandardInformation:
        if ( info->standard.size.QuadPart == WS2_LOCAL_FILE_SIZE && is_local_handle( handle ) )
            info->standard.size.QuadPart = 0;
        break;
    case FileAllInformation:
        if ( is_local( &info->all.basic.written, &info->all.standard.size, info->all.basic.attributes ) )
        {
            info->all.basic.attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
            info->all.standard.size.QuadPart = 0;
        }
        break;
    case FileNetworkOpenInformation:
        if ( is_local( &info->open.written, &info->open.size, info->open.attributes ) ) show_open( &info->open );
        break;
    case CLASS_STAT:
        if ( is_local( &info->stat.written, &info->stat.size, info->stat.attributes ) )
        {
            info->stat.attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
            info->stat.size.QuadPart = 0;
            info->stat.tag = REPARSE_TAG_AF_UNIX;
        }
        break;
    case FileAttributeTagInformation:
        if ( is_local_handle( handle ) )
        {
            info->tag.attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
            info->tag.tag = REPARSE_TAG_AF_UNIX;
        }
        break;
    }
}

NTSTATUS NTAPI hook_NtQueryInformationFile( HANDLE handle, IO_STATUS_BLOCK *iosb, void *information, ULONG size,
                                            ULONG class )
{
    NTSTATUS status;

    if ( !handle_pool_find_file( &handle ) ) return STATUS_INVALID_HANDLE;
    status = nt_NtQueryInformationFile( handle, iosb, information, size, class );
    /* of FileAllInformation the name may not fit */
    if ( !status || status == STATUS_BUFFER_OVERFLOW ) show_information( handle, information, class );
    return status;
}

NTSTATUS NTAPI hook_NtFsControlFile( HANDLE handle, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *iosb,
                                     ULONG code, void *in, ULONG in_size, void *out, ULONG out_size )
{
    const struct
    {
        ULONG tag;
        USHORT length, reserved;
    } point = { REPARSE_TAG_AF_UNIX, 0, 0 };
    const IO_STATUS_BLOCK result = { { 0 }, sizeof( point ) };

    if ( !handle_pool_find_file( &handle ) ) return STATUS_INVALID_HANDLE;
    if ( hooks_is_event( event ) ) served_event_refuse( event );
    if ( code != FSCTL_GET_REPARSE_POINT || !is_local_handle( handle ) )
        return nt_NtFsControlFile( handle, event, apc, apc_context, iosb, code, in, in_size, out, out_size );
    if ( out_size < sizeof( point ) ) return STATUS_BUFFER_TOO_SMALL;
    if ( event ) ResetEvent( event );
    if ( ws2_write( out, &point, sizeof( point ) ) || ws2_write( iosb, &result, sizeof( result ) ) )
        return STATUS_ACCESS_VIOLATION;
    if ( event ) SetEvent( event );
    if ( apc ) nt_NtQueueApcThread( GetCurrentThread(), apc, (ULONG_PTR)apc_context, (ULONG_PTR)iosb, 0 );
    return 0;
}
