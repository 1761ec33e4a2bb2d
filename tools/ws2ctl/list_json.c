/* The sockets of a prefix for programs. */
#include <json.h>
#include <string.h>
#include "view.h"

static void add_number( json_object *object, const char *name, int64_t value )
{
    json_object_object_add( object, name, json_object_new_int64( value ) );
}

static void add_text( json_object *object, const char *name, const char *text )
{
    json_object_object_add( object, name, *text && strcmp( text, "-" ) ? json_object_new_string( text ) : NULL );
}

static void add_truth( json_object *object, const char *name, int value )
{
    json_object_object_add( object, name, json_object_new_boolean( value ) );
}

static json_object *words( const char *text )
{
    json_object *array = json_object_new_array();

    while ( *text )
    {
        const size_t length = strcspn( text, " " );

        json_object_array_add( array, json_object_new_string_len( text, length ) );
        text += length + strspn( text + length, " " );
    }
    return array;
}

struct json_object *view_json( const struct view *view )
{
    json_object *object = json_object_new_object(), *holders = json_object_new_array(),
                *tickets = json_object_new_array();
    char program[256];

    add_number( object, "id", view->id );
    add_number( object, "generation", view->generation );
    add_text( object, "family", view->family );
    add_text( object, "type", view->type );
    add_number( object, "protocol", view->slot.protocol );
    add_text( object, "local", view->local );
    add_text( object, "peer", view->peer );
    add_text( object, "state", view->state );
    if ( view->known )
    {
        add_number( object, "receive_queue", view->receive_queue );
        add_number( object, "send_queue", view->send_queue );
    }
    if ( view->slot.flags & WS2_FLAG_LISTENING ) add_number( object, "backlog", view->slot.backlog );
    if ( view->listener != WS2_NO_INDEX )
    {
        json_object *listener = json_object_new_object();

        add_number( listener, "id", view->listener );
        add_text( listener, "local", view->listener_local );
        json_object_object_add( object, "accepts_from", listener );
    }
    add_text( object, "timer", view->timer );
    add_truth( object, "shared", view->shared );
    add_truth( object, "nonblocking", ( view->slot.flags & WS2_FLAG_NONBLOCKING ) != 0 );
    json_object_object_add( object, "options", words( view->options ) );
    add_number( object, "descriptors", view_descriptors( view ) );
    for ( size_t i = view->first; i < view->end; i++ )
    {
        json_object *row = json_object_new_object();

        view_program( rows[i].unix_pid, program, sizeof( program ) );
        if ( rows[i].ticket_target )
        {
            add_number( row, "target", rows[i].ticket_target );
            add_number( row, "source", rows[i].windows_pid );
            add_text( row, "program", program );
            json_object_array_add( tickets, row );
            continue;
        }
        add_number( row, "windows_pid", rows[i].windows_pid );
        add_number( row, "unix_pid", rows[i].unix_pid );
        add_text( row, "program", program );
        add_number( row, "handle", rows[i].handle );
        json_object_array_add( holders, row );
    }
    json_object_object_add( object, "holders", holders );
    json_object_object_add( object, "tickets", tickets );
    if ( view->event_pid )
    {
        json_object *events = json_object_new_object();

        add_number( events, "mask", ws2_events_mask( view->slot.events ) );
        add_number( events, "owner", view->event_pid );
        add_text( events, "kind", view->slot.event_message ? "window" : "event" );
        json_object_object_add( object, "events", events );
    }
    else json_object_object_add( object, "events", NULL );
    return object;
}
