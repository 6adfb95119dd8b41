// Package message is the log: the only door through which messages are sent,
// stored, pulled and read.
//
// A send is decided by rules (membership, mutes, blocks), then by the business
// server (Hooks), then committed by one store.Append that looks for a repeat
// and, if a handler was waited for, checks the rules once more. Only after the
// durable commit is it acknowledged and then delivered, in that order.
//
// It knows no socket, no HTTP and no wire type.
package message
