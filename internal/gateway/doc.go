// Package gateway is the WebSocket edge: handshake, framing, heartbeats, the
// hub of this node's connections, and the dispatch of requests to the nouns
// (websocket-and-messages 1-5).
//
// One connection costs one goroutine while it is idle. Its reader answers
// everything but sends; sends queue up behind one another in their own order,
// so a send that waits for the business server holds up nobody's reading.
// Frames to a client wait in one bounded queue, whose writer runs only while
// there is something to write; a client that lets the queue fill up is
// disconnected and pulls what it missed.
//
// Frames that wait together leave in one system call, each encoded once per
// wire form for all its receivers.
//
// Order on the wire follows the order in which frames were queued: the reply
// to a send is queued by the committer before the message's echo.
package gateway
