// Package webhook asks and tells the business server what OpenIM calls
// callbacks: before-calls, whose answer can refuse or change an operation, and
// after-events, which report what was committed.
//
// What it promises:
//   - nextCode 1 always refuses. No late, broken or odd answer turns a refusal
//     into an approval; failedContinue decides about calls that got no usable
//     answer, and about nothing else.
//   - A before-call ends at its timeout or at the deadline its operation shares
//     between its calls, whichever comes first. No lock and no transaction is
//     held meanwhile, and waiting calls are bounded.
//   - An after-event is rendered and stored in the transaction of the change it
//     reports; every attempt sends the same bytes and the same webhook-id.
//   - A callback that is off, or filtered out, costs no allocation.
//
// Names, order and filters of callbacks come from the registry. The package
// implements the message hooks, the store's Recorder and the outbox's Handler;
// it must not know REST, sockets or any noun's rules.
package webhook
