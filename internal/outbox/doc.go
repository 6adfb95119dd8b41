// Package outbox works off what was recorded to be told: it takes lanes of the
// store, hands their events to a Handler in order, and deletes, retries or
// buries them.
//
// What it promises:
//   - An event is handed over at least once, in the order of its lane, until the
//     handler says it is delivered or dead. A lane that fails waits and keeps
//     nobody but itself waiting.
//   - A lane has one worker at a time, on any number of nodes: it is leased, and
//     what is done to it counts only while the lease holds. A node that dies
//     loses its leases with time.
//   - Memory is bounded: at most Workers lanes are in work, at most Prefetch
//     events each.
//
// It knows the store's outbox rows and nothing of HTTP, webhooks or messages.
package outbox
