// Package push reaches users who are not connected, through the push vendors of
// their phones (websocket-and-messages 11).
//
// The transaction that stores a message also stores what is to be pushed, as an
// outbox row of its conversation. Whom it reaches is decided when the row is
// worked on: who is offline now, has not read the message meanwhile and wants to
// be disturbed. Groups are gone through in pages. What a vendor could not take
// is repeated, for those devices only.
//
// Every vendor is a Provider in a package of its own below this one; they know
// HTTP and nothing of the server.
package push
