// Package conform plays a fixed suite of good, bad and odd webhook requests at a
// handler and reports, check by check, what was sent, what came back, why it
// matters and how to mend it.
//
// Each check looks at one thing. A check whose ground is gone, because an
// earlier one failed, is reported as not judged rather than as a second failure,
// so that one fault of a handler makes one failure.
//
// What a handler stored cannot be seen from outside. A handler that offers the
// two conventions below, for the test only, has that judged too; otherwise those
// checks are reported as not observable:
//
//   - GET <url>/conform?id=<webhook-id> answers {"count": n}: how many times the
//     event with that id was stored.
//   - A before-call with the header Conform-Api: <address> makes the handler
//     POST to that address, as it would call the IM server's API, before it
//     answers.
//
// The package is a client: it knows the bodies and signatures of callbacks and
// nothing of the server.
package conform
