/*
 * What RIO_BUFFERID, RIO_CQ and RIO_RQ name: see registered.h. The table only grows; it is read without a lock.
 */
#include "registered/registered.h"

/* A handle: kind (2 bits), turn (8), index (22) */
#define INDEX_BITS 22
#define CHUNK_BITS 10
#define CHUNK_SIZE ( 1u << CHUNK_BITS )

typedef struct registered_object *chunk[CHUNK_SIZE];

static SRWLOCK objects_lock = SRWLOCK_INIT; /* for making and freeing */
static chunk *volatile chunks[1u << ( INDEX_BITS - CHUNK_BITS )];
static UINT32 used;
static struct registered_object *free_objects[REGISTERED_KINDS];

void *registered_create( enum registered_kind kind, size_t size )
{
    struct registered_object *object;
    chunk *volatile *place;

    lock_exclusive( &objects_lock );
    if ( ( object = free_objects[kind] ) ) free_objects[kind] = object->next_free;
    else if ( used < 1u << INDEX_BITS )
    {
        place = &chunks[used >> CHUNK_BITS];
        if ( ( *place || ( *place = calloc( 1, sizeof( chunk ) ) ) ) && ( object = calloc( 1, size ) ) )
        {
            object->next_id = used << 10 | kind;
            ( **place )[used % CHUNK_SIZE] = object;
            used++;
        }
    }
    ReleaseSRWLockExclusive( &objects_lock );
    return object;
}

void *registered_publish( void *pointer )
{
    struct registered_object *object = pointer;
    UINT32 id = object->next_id;

    object->next_id = ( id & ~0x3fcu ) | ( ( id + 4 ) & 0x3fcu );
    InterlockedExchange( (LONG *)&object->id, id );
    return (void *)(UINT_PTR)id;
}

void registered_hide( void *pointer )
{
    InterlockedExchange( (LONG *)&( (struct registered_object *)pointer )->id, 0 );
}

void registered_free( enum registered_kind kind, void *pointer )
{
    struct registered_object *object = pointer;

    lock_exclusive( &objects_lock );
    object->next_free = free_objects[kind];
    free_objects[kind] = object;
    ReleaseSRWLockExclusive( &objects_lock );
}

void *registered_find( const void *handle, enum registered_kind kind )
{
    UINT_PTR id = (UINT_PTR)handle;
    UINT32 index = (UINT32)id >> 10;
    struct registered_object *object;
    chunk *objects;

    if ( id > 0xffffffff || ( id & 3 ) != kind || !( objects = chunks[index >> CHUNK_BITS] ) ) return NULL;
    object = ( *objects )[index % CHUNK_SIZE];
    return object && object->id == (UINT32)id ? object : NULL;
}
