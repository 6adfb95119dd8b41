// Package edge holds what every listener needs to know of the network in front
// of it: whose address a request really has, which browsers may call, how much
// one address or user may ask for, and the certificate that is shown.
//
// Nothing a client can write into a request changes its address: headers count
// only when they come from a proxy that the operator trusts. Memory is bounded
// whatever arrives. Everything here may be asked by many goroutines at a time,
// and rules that can change in a running server change between two requests.
//
// It does not know what is asked for: no route, no noun, no store.
package edge
