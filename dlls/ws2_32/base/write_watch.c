/* Writes of the system's to watched memory: see write_watch.h. */
#include "base/write_watch.h"

#define PAGE 0x1000

void write_watch_note( struct write_watch *watch, const void *memory, SIZE_T size )
{
    char *const begin = (char *)( (UINT_PTR)memory & ~(UINT_PTR)( PAGE - 1 ) );
    const SIZE_T bytes = ( (UINT_PTR)memory - (UINT_PTR)begin + size + PAGE - 1 ) & ~(SIZE_T)( PAGE - 1 );
    ULONG_PTR reported = bytes / PAGE, next = 0;
    void **addresses, **pages;
    ULONG granularity;

    if ( !size || !( addresses = malloc( reported * sizeof( *addresses ) ) ) ) return;
    if ( !GetWriteWatch( 0, begin, bytes, addresses, &reported, &granularity ) &&
         ( pages = realloc( watch->pages, ( watch->count + bytes / PAGE ) * sizeof( *pages ) ) ) )
    {
        watch->pages = pages;
        for ( char *page = begin; page < begin + bytes; page += PAGE )
            if ( next < reported && addresses[next] == page ) next++;
            else watch->pages[watch->count++] = page;
    }
    free( addresses );
}

void write_watch_end( struct write_watch *watch )
{
    for ( ULONG i = 0; i < watch->count; i++ ) ResetWriteWatch( watch->pages[i], PAGE );
    free( watch->pages );
    *watch = ( struct write_watch ){ 0 };
}
