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
//   - Every endpoint has slots of its own for lanes in work: one that hangs takes
//     none of another's. Memory is bounded by the slots times Prefetch events.
//   - Lanes of endpoints that the handler does not name, or gives no slots, wait.
//
// It knows the store's outbox rows and nothing of HTTP, webhooks or messages.
package outbox
